#!/usr/bin/env bash
# Reads a built library and fails if it exports, imports or constructs what the library promises not to.
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
    bad=$(readelf -SW "$library" | grep -E '\.(init_array|ctors|preinit_array)' || true)
    ;;
esac

if [[ -n $bad ]]; then
  printf '%s: must not be %s:\n%s\n' "$library" "$kind" "$bad"
  exit 1
fi
