/* What the consumer's two halves share. */
#ifndef CONSUMER_H
#define CONSUMER_H

#ifdef __cplusplus
extern "C" {
#endif

/* 0 when hiprope works from C. */
int use_from_c(void);

#ifdef __cplusplus
}
#endif
#endif
