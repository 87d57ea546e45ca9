// The `hiprope` command: lists its subcommands, runs the one asked for and turns every failure into an exit status.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <sstream>
#include <system_error>

#include "hiprope/hiprope.hpp"
#include "tools/commands.h"
#include "tools/output.h"

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
    std::ostringstream help;
    std::ostringstream complaint;
    const int status = app.exit(error, help, complaint);
    fmt::print("{}", help.str());
    // The complaint repeats arguments.
    std::istringstream lines(complaint.str());
    for (std::string line; std::getline(lines, line);) fmt::print(stderr, "{}\n", printable(line));
    return status == 0 ? kPassed : kCannotRun;
  }
  if (!app.get_subcommands().empty()) return kPassed;
  fmt::print(stderr, "{}", app.help());
  return kCannotRun;
}

}  // namespace

int main(int argc, char** argv) try {
  const int status = run(argc, argv);
  flush_output();
  return status;
} catch (const std::system_error& error) {
  // fmt::print throws it when standard output is full.
  const bool output = std::ferror(stdout) != 0;
  fmt::print(stderr, "hiprope: {}\n", output ? output_failure(error.code().value()) : printable(error.what()));
  return kCannotRun;
} catch (const std::exception& error) {
  fmt::print(stderr, "hiprope: {}\n", printable(error.what()));
  return kCannotRun;
}
