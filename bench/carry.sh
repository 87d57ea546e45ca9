#!/usr/bin/env bash
# carry.sh [FOLDER]: gathers in FOLDER (build-carry) all that `hiprope bench` and compare.py need on a machine with an NVIDIA
# GPU, PyTorch and no network. Needs nvcc, cmake, pip and unzip. ARCHITECTURE is the GPU's compute capability (90), BUILD a
# build folder (build-nvidia), FLASH_ATTN a source tree of flash-attn, which PyPI has only as a source that wants PyTorch.
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=${1:-$source/build-carry}
build=${BUILD:-$source/build-nvidia}
architecture=${ARCHITECTURE:-90}
python=${PYTHON_VERSION:-3.12}

unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT
mkdir -p "$folder/tools"
: >"$folder/versions.txt"

read -ra extra <<<"${HIPROPE_CMAKE_ARGS:-}"
cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DHIPROPE_PLATFORM=nvidia \
  -DHIPROPE_CUDA_ARCHITECTURES="$architecture" -DHIPROPE_BUILD_TESTS=OFF "${extra[@]}" >/dev/null
cmake --build "$build" --target hiprope_cli -- -j "${JOBS:-2}"
cp "$build/tools/hiprope" "$folder/tools/"
cp "$build/libhiprope.so.0" "$build"/model_config/libhiprope_model_config.so.0 "$folder/"
# Debian's libraries that the tools link; the build's run path looks beside libhiprope.so.
ldd "$build/tools/hiprope" | awk '/libfmt|libhwy/ { print $3 }' | xargs -r cp -Lt "$folder"
cp "$source"/bench/{compare,chain,compare_report,implementations,layer_data}.py "$source/tools/models.inc" "$folder/"

# wheel NAME DISTRIBUTION PATTERN...: unpacks these members of the newest wheel into $unpacked and notes the version.
wheel() {
  local name=$1 distribution=$2 file
  shift 2
  if ! python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version "$python" --implementation cp \
    --abi "cp${python/./}" --abi abi3 --abi none --platform any --platform manylinux_2_34_x86_64 \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_24_x86_64 --platform manylinux_2_17_x86_64 \
    --platform manylinux2014_x86_64 --dest "$unpacked/wheels" "$distribution"; then
    echo "carry: $distribution could not be downloaded, so it is left out" >&2
    return 1
  fi
  file=$(find "$unpacked/wheels" -name "${distribution//-/_}-*.whl")
  unzip -q -o "$file" "$@" -d "$unpacked"
  [[ -z $name ]] || echo "$name $(basename "$file" | cut -d- -f2)" >>"$folder/versions.txt"
}

# library NAME NVCC ARGUMENTS...: compiles rivals/NAME.cu to libNAME.so.
library() {
  local name=$1
  shift
  echo "Compiling $name"
  nvcc -O3 --expt-relaxed-constexpr -gencode "arch=compute_$architecture,code=sm_$architecture" -shared -cudart shared \
    -Xcompiler -fPIC "$@" -o "$folder/lib$name.so" "$source/bench/rivals/$name.cu"
}

library neighbours -std=c++17 -I"$source"
if wheel flashinfer flashinfer-python 'flashinfer/data/*'; then
  data=$unpacked/flashinfer/data
  # The wheel's own CCCL comes before the toolkit's, which its headers are not written for.
  library flashinfer -std=c++17 -I"$data"/cccl/libcudacxx/include -I"$data/cccl/cub" -I"$data/cccl/thrust" -I"$data/include" \
    -I"$data/csrc"
fi
if wheel sglang sglang 'sglang/kernels/jit/*' && wheel '' apache-tvm-ffi 'tvm_ffi/*'; then
  jit=$unpacked/sglang/kernels/jit
  library sglang -std=c++20 -DSGL_CUDA_ARCH="${architecture}0" -I"$jit" -I"$jit/include" -I"$unpacked/tvm_ffi/include" \
    -I"$unpacked/tvm_ffi/3rdparty/dlpack/include"
fi
if wheel liger liger-kernel 'liger_kernel/*' 'liger_kernel-*'; then
  rm -rf "$folder/liger_kernel"
  cp -r "$unpacked/liger_kernel" "$folder/"
fi
if [[ -n ${FLASH_ATTN:-} ]]; then
  cp "$FLASH_ATTN/flash_attn/ops/triton/rotary.py" "$folder/"
  echo "flash-attn $(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$FLASH_ATTN/flash_attn/__init__.py")" >>"$folder/versions.txt"
fi
du -sh "$folder"
