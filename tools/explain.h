// `hiprope explain`: what a config.json or a GGUF file says about a model's rotary embeddings.
#pragma once

#include <string>

namespace hiprope::tools {

struct ExplainOptions {
  std::string config;  // a config.json, the folder that holds one, or a GGUF file
  std::string plot;    // where the wavelength plot goes; empty: no plot
  bool json = false;
  bool strict = false;  // refuse rather than assume
};

// Prints the report and returns the command's exit status. Throws ToolError when the file cannot be read.
int run_explain(const ExplainOptions& options);

}  // namespace hiprope::tools
