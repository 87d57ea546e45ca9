#!/usr/bin/env bash
# Fuzzes the config reader and calls on the CPU, each for SECONDS under ASan and UBSan, from the stored corpora.
# Usage: tests/fuzz/run.sh [SECONDS]     CXX chooses the clang++, BUILD the build folder, JOBS the parallel compilers.
set -euo pipefail

seconds=${1:-60}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${BUILD:-$root/build-fuzz}

mkdir -p "$build"
cmake -G Ninja -S "$root" -B "$build" -DCMAKE_CXX_COMPILER="${CXX:-clang++-19}" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DHIPROPE_PLATFORM=none -DHIPROPE_OPENMP=OFF -DHIPROPE_BUILD_BENCH=OFF -DHIPROPE_FUZZ=ON -DHIPROPE_WERROR=OFF \
  -DHIPROPE_SANITIZE="address;undefined" >"$build/configure.log" 2>&1 || { cat "$build/configure.log" >&2; exit 1; }
cmake --build "$build" -j "${JOBS:-$(nproc)}" --target model_config_fuzzer call_fuzzer

# fuzz NAME [OPTIONS AND FOLDERS]: what it finds for the corpus stays in the build folder.
fuzz() {
  local name=$1
  shift
  mkdir -p "$build/$name"
  printf '== %s, %s s\n' "$name" "$seconds"
  "$build/tests/fuzz/${name}_fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
    -artifact_prefix="$build/" -print_final_stats=1 -verbosity=0 "$@"
}
fuzz model_config -max_len=8192 -dict="$here/model_config.dict" \
  "$build/model_config" "$here/corpus/model_config" "$here/corpus/gguf" "$root/tests/model_config/fixtures"
fuzz call -max_len=1024 "$build/call" "$here/corpus/call"
