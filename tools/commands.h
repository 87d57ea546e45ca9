// The subcommands of `hiprope`, each in the file of its name, and the exit statuses they share.
#pragma once

#include <CLI/CLI.hpp>

namespace hiprope::tools {

constexpr int kPassed = 0;
constexpr int kFailed = 1;     // the command ran and its answer is no
constexpr int kCannotRun = 2;  // bad arguments, no such device, unreadable file

void add_info(CLI::App& app);
void add_models(CLI::App& app);
void add_verify(CLI::App& app);
void add_explain(CLI::App& app);
void add_bench(CLI::App& app);

// Ends the command with `status` from within a CLI11 callback.
inline void finish(int status) {
  if (status != kPassed) throw CLI::RuntimeError(status);
}

}  // namespace hiprope::tools
