#!/usr/bin/env bash
# Reads a built library and fails if it exports or imports what it promises not to, if loading it runs code, or if a call
# allocates or locks.
set -euo pipefail

kind=$1 library=$2
[[ -r $library ]] || { echo "there is no $library" && exit 1; }
case $kind in
  exported)
    exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }')
    [[ -n $exported ]] || { echo "$library exports nothing" && exit 1; }
    bad=$(grep -v '^hiprope_[a-z_]*$' <<<"$exported" || true)
    ;;
  imported)
    endings='abort|_?_?exit|_Exit|quick_exit|__assert_fail|raise|kill'
    printing='(__)?v?[fsd]?n?printf(_chk)?|puts|putchar|fputs|fputc|putc|fwrite|perror|stdout|stderr'
    streams='_ZSt4(cout|cerr|clog)|_ZNSo.*|_ZNSt8ios_base4Init.*'
    throwing='__cxa_(throw|rethrow|allocate_exception|bad_cast|pure_virtual)|_ZSt[0-9]+__throw_.*|_ZSt9terminatev'
    imported=$(nm -u "$library" | awk '$1 == "U" { print $2 }' | sort -u)
    [[ -n $imported ]] || { echo "$library imports nothing" && exit 1; }
    # snprintf writes to the caller's buffer alone.
    bad=$(grep -E -x "$endings|$printing|$streams|$throwing" <<<"$imported" | grep -v -E -x '(__)?v?snprintf(_chk)?' || true)
    ;;
  constructors)
    # The compiler's own entry of every shared object (frame_dummy) is one pointer.
    allowed=0
    [[ $library == *.a ]] || allowed=8
    bytes=0
    while read -r size; do bytes=$((bytes + 16#$size)); done < <(
      readelf -SW "$library" | sed -n -E 's/.*\.(init_array|ctors|preinit_array)[^ ]* +[A-Z_]+ +[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+).*/\2/p')
    [[ $library == *.a || $bytes != 0 ]] || { echo "$library has no .init_array" && exit 1; }
    bad=$( ((bytes <= allowed)) || echo "$bytes bytes of pointers to constructors, $allowed are the compiler's own")
    ;;
  hot_path)
    # What a call on a GPU Rope runs through, but for the launch itself.
    all=$(nm -A "$library")
    for member in apply check launch tuning; do
      grep -q ":$member\.cpp\.o:" <<<"$all" || { echo "$library has no $member.cpp.o" && exit 1; }
    done
    bad=$(grep -E ':(apply|check|launch|tuning)\.cpp\.o:' <<<"$all" |
      grep -E ' U (_Zn[wa].*|malloc|calloc|realloc|aligned_alloc|posix_memalign|pthread_mutex_lock)$' || true)
    ;;
esac

if [[ -n $bad ]]; then
  printf '%s, %s: must not have:\n%s\n' "$library" "$kind" "$bad"
  exit 1
fi
