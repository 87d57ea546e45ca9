// Nothing is written to standard output or standard error, unless HIPROPE_LOG asks for command lines.
#include <sys/wait.h>

#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "hiprope/hiprope.hpp"

namespace hiprope::test {
namespace {

RopeConfig partial() {
  RopeConfig config;
  config.head_dim = 64;
  config.rotary_dim = 32;
  config.rotary_offset = 8;
  config.pairing = Pairing::interleaved;
  config.max_positions = 64;
  return config;
}

// Calls that succeed and calls that are refused, of every function.
void run_everything() {
  std::vector<float> q(4 * 3 * 64), k(4 * 64), out(4 * 3 * 64);
  const std::vector<std::int64_t> ids = {0, 63, 64, -1};
  const RopeConfig config = partial();
  const Rope rope(config, Device::cpu());
  const TensorView q_view = TensorView::thd(q.data(), DataType::f32, 4, 3, 64);
  const TensorView k_view = TensorView::thd(k.data(), DataType::f32, 4, 1, 64);
  const TensorView out_view = TensorView::thd(out.data(), DataType::f32, 4, 3, 64);
  EXPECT_TRUE(apply_rope_cpu(rope, q_view, Positions(ids.data()), {.out = &out_view, .direction = Direction::inverse}));
  EXPECT_TRUE(apply_position_embeddings_cpu(rope, q_view, k_view, Positions::from(1)));
  RopeConfig rewritten = config;
  rewritten.output_pairing = OutputPairing::half_split;
  rewritten.axes = 3;
  rewritten.sections = {4, 6, 6};
  const std::vector<std::int32_t> ids_of_axes(3 * 4, 5);
  const Rope three(rewritten, Device::cpu());
  EXPECT_TRUE(apply_rope_cpu(three, q_view, Positions(ids_of_axes.data(), 3), {.out = &out_view}))
      << three.created().message();
  TensorView bad = q_view;
  bad.token_stride = -1;
  EXPECT_FALSE(apply_rope_cpu(rope, bad, Positions::from(0)));
  hiprope_position_errors errors{};
  EXPECT_TRUE(rope.read_position_errors(errors));
  EXPECT_TRUE(rope.clear_position_errors());
  EXPECT_GT(rope.stats().cpu_calls, 0U);
  EXPECT_EQ(rope.info().head_dim, 64);
  RopeConfig odd = config;
  odd.rotary_dim = 7;
  EXPECT_FALSE(Rope(odd, Device::cpu()));
  EXPECT_FALSE(Rope(config, Device::gpu(1000)));
  std::int32_t count = 0;
  EXPECT_EQ(hiprope_device_count(&count), hiprope_ok);
}

struct Written {
  std::string out, error;
};
Written written_by_everything() {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  run_everything();
  Written written;
  written.error = testing::internal::GetCapturedStderr();
  written.out = testing::internal::GetCapturedStdout();
  return written;
}

TEST(silence, is_kept) {
  for (const char* value : {"", "off"}) {
    ASSERT_EQ(setenv("HIPROPE_LOG", value, 1), 0);
    const Written written = written_by_everything();
    EXPECT_EQ(written.out, "");
    EXPECT_EQ(written.error, "");
  }
  ASSERT_EQ(unsetenv("HIPROPE_LOG"), 0);
  const Written written = written_by_everything();
  EXPECT_EQ(written.out + written.error, "");
}

std::vector<std::string> logged_lines() {
  EXPECT_EQ(setenv("HIPROPE_LOG", "bench", 1), 0);
  const Written written = written_by_everything();
  EXPECT_EQ(unsetenv("HIPROPE_LOG"), 0);
  EXPECT_EQ(written.out, "");
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = written.error.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines.push_back(written.error.substr(begin, end - begin));
  }
  EXPECT_EQ(begin, written.error.size()) << "the last line does not end";
  return lines;
}

TEST(silence, is_broken_only_by_a_line_for_each_accepted_call) {
  const std::vector<std::string> lines = logged_lines();
  ASSERT_EQ(lines.size(), 3U);
  for (const std::string& line : lines) {
    EXPECT_EQ(line.rfind("hiprope bench --", 0), 0U) << line;
    EXPECT_EQ(line.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.+- "), std::string::npos) << line;
  }
  EXPECT_NE(lines[0].find(" --inverse"), std::string::npos) << lines[0];
  EXPECT_NE(lines[0].find(" --out-of-place"), std::string::npos) << lines[0];
  EXPECT_NE(lines[0].find(" --axes 1 --ids int64"), std::string::npos) << lines[0];
  EXPECT_NE(lines[1].find(" --kv-heads 1"), std::string::npos) << lines[1];
  EXPECT_NE(lines[1].find(" --positions sequential --ids none"), std::string::npos) << lines[1];
  EXPECT_NE(lines[2].find(" --axes 3 --ids int32"), std::string::npos) << lines[2];
  EXPECT_NE(lines[2].find(" --output-pairing half_split"), std::string::npos) << lines[2];
}

// A call that an engine made can be timed again by pasting its line.
TEST(silence, is_broken_by_lines_that_the_command_takes) {
#if defined(HIPROPE_COMMAND)
  for (const std::string& line : logged_lines()) {
    const std::string command =
        HIPROPE_COMMAND + line.substr(std::string("hiprope").size()) + " --device cpu --rounds 3 > /dev/null";
    const int status = std::system(command.c_str());
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << command;
  }
#else
  GTEST_SKIP() << "the hiprope command is not built";
#endif
}

}  // namespace
}  // namespace hiprope::test
