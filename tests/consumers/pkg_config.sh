#!/usr/bin/env bash
# Builds and runs the consumer, C11 and C++17, with the flags that pkg-config gives for an install tree.
set -euo pipefail

libdir=$1 work=$2 cc=$3 cxx=$4 static=${5:-}
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
export PKG_CONFIG_PATH=$libdir/pkgconfig
mkdir -p "$work"

read -ra cflags < <(pkg-config --cflags hiprope)
read -ra libs < <(pkg-config --libs ${static:+"$static"} hiprope)
strict=(-pedantic -Wall -Wextra -Wconversion -Wshadow -Werror)
"$cc" -std=c11 "${strict[@]}" "${cflags[@]}" -c "$here/consumer.c" -o "$work/consumer_c.o"
"$cxx" -std=c++17 "${strict[@]}" "${cflags[@]}" "$here/consumer.cpp" "$work/consumer_c.o" "${libs[@]}" -lm -o "$work/consumer"
LD_LIBRARY_PATH=$libdir "$work/consumer"
