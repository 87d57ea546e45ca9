#!/usr/bin/env bash
# Fuzzes the config reader for SECONDS under ASan and UBSan, from the stored corpus and the model fixtures.
# Usage: tests/fuzz/run.sh [SECONDS]     CXX chooses the clang++, BUILD the build folder.
set -euo pipefail

seconds=${1:-60}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${BUILD:-$root/build/fuzz}

mkdir -p "$build"
cmake -G Ninja -S "$root" -B "$build" -DCMAKE_CXX_COMPILER="${CXX:-clang++-19}" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DHIPROPE_PLATFORM=none -DHIPROPE_OPENMP=OFF -DHIPROPE_BUILD_BENCH=OFF -DHIPROPE_FUZZ=ON -DHIPROPE_WERROR=OFF \
  -DHIPROPE_SANITIZE="address;undefined" >"$build.log" 2>&1 || { cat "$build.log" >&2; exit 1; }
cmake --build "$build" --target model_config_fuzzer

mkdir -p "$build/found"
"$build/tests/fuzz/model_config_fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=8192 \
  -dict="$here/model_config.dict" -artifact_prefix="$build/" -print_final_stats=1 \
  "$build/found" "$here/corpus" "$root/tests/model_config/fixtures"
