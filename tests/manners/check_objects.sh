#!/usr/bin/env bash
# Reads a built library and fails if a call allocates, locks or asks the environment, or if loading it runs code.
set -euo pipefail

kind=$1 library=$2
case $kind in
  hot_path)
    # What a call on a GPU Rope runs through, but for the launch itself.
    members='apply\.cpp\.o|check\.cpp\.o|launch\.cpp\.o|tuning\.cpp\.o'
    symbols=$(nm -A -u "$library" | grep -E ":($members):" || true)
    all=$(nm -A "$library")
    for member in apply check launch tuning; do
      grep -q ":$member\.cpp\.o:" <<<"$all" || { echo "$library has no $member.cpp.o" && exit 1; }
    done
    bad=$(grep -E ' (_Zn[wa].*|malloc|calloc|realloc|aligned_alloc|posix_memalign|pthread_mutex_lock)$' <<<"$symbols" || true)
    ;;
  constructors)
    # The compiler's own entry of every shared object (frame_dummy) is one pointer.
    bytes=$(readelf -SW "$library" | sed -n 's/.*\.init_array *INIT_ARRAY *[0-9a-f]* [0-9a-f]* \([0-9a-f]*\).*/\1/p')
    [[ -n $bytes ]] || { echo "$library has no .init_array" && exit 1; }
    bad=$( ((16#$bytes <= 8)) || echo ".init_array of $((16#$bytes)) bytes")
    ;;
esac

if [[ -n $bad ]]; then
  printf '%s, %s: must not have:\n%s\n' "$library" "$kind" "$bad"
  exit 1
fi
