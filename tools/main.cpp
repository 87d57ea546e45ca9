// The `hiprope` command: lists its subcommands, runs the one asked for and turns every failure into an exit status.
#include <fmt/format.h>

#include <exception>

#include "hiprope/hiprope.hpp"
#include "tools/commands.h"

namespace {

using namespace hiprope::tools;

constexpr void (*kCommands[])(CLI::App&) = {
    add_info, add_models, add_verify, add_explain, add_bench,
};

int run(int argc, char** argv) {
  CLI::App app{"Rotary position embeddings on AMD GPUs, NVIDIA GPUs and the CPU.", "hiprope"};
  app.set_version_flag("--version", hiprope_version());
  app.require_subcommand(0, 1);
  app.footer("Exit status: 0 done or passed, 1 something did not pass, 2 the command could not run.");
  for (const auto add : kCommands) add(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RuntimeError& finished) {
    return finished.get_exit_code();
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kPassed : kCannotRun;
  }
  if (!app.get_subcommands().empty()) return kPassed;
  fmt::print(stderr, "{}", app.help());
  return kCannotRun;
}

}  // namespace

int main(int argc, char** argv) try { return run(argc, argv); } catch (const std::exception& error) {
  fmt::print(stderr, "hiprope: {}\n", error.what());
  return kCannotRun;
}
