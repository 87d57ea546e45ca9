/* The version of hiprope, written once: the build system reads it from here. */
#ifndef HIPROPE_VERSION_H
#define HIPROPE_VERSION_H

#define HIPROPE_VERSION_MAJOR 0
#define HIPROPE_VERSION_MINOR 1
#define HIPROPE_VERSION_PATCH 0
#define HIPROPE_VERSION_STRING "0.1.0"

#endif
