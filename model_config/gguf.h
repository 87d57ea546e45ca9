// The metadata of a GGUF file: its keys, and the few tensors that a rotary embedding needs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fields.h"

namespace hiprope::model_config_internal {

struct GgufTensor {
  std::vector<std::uint64_t> shape;  // fastest first
  std::vector<double> values;        // of float32 tensors that are kept, else empty
};

struct Gguf {
  Json metadata = Json::object();             // every number, boolean, string and short list of numbers by its key
  std::map<std::string, GgufTensor> tensors;  // factors of frequencies, and the shapes of the norms of Q and K
};

// True when `bytes` begin as a GGUF file does.
bool is_gguf(std::string_view bytes);

// Reads metadata and tensor descriptions of `bytes`, the whole file, which may be mapped: of tensor data only the
// factors of frequencies are touched. What does not fit in the file, or is no GGUF of version 2 or 3, is refused by
// name.
Gguf parse_gguf(std::string_view bytes);

}  // namespace hiprope::model_config_internal
