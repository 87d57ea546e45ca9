// A process that forked after using the library: the child gets a status, at once, and the parent goes on.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include "hiprope/hiprope.hpp"

namespace hiprope::test {
namespace {

constexpr unsigned kPatience = 20;  // seconds

// Runs `child` in a forked process; its value is the exit status.
int in_child(const std::function<int()>& child) {
  const pid_t id = fork();
  if (id == 0) {
    alarm(kPatience);
    _exit(child());
  }
  int status = -1;
  EXPECT_EQ(waitpid(id, &status, 0), id);
  EXPECT_TRUE(WIFEXITED(status)) << "the child was ended by signal " << WTERMSIG(status);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct Scene {
  Scene() : data(kTokens * kHeads * kDim, 1.0F) {
    config.head_dim = kDim;
    config.max_positions = 4096;  // a table that several threads build
    rope = Rope(config, Device::cpu());
  }
  Result apply() {
    const TensorView x = TensorView::thd(data.data(), DataType::f32, kTokens, kHeads, kDim);
    return apply_rope_cpu(rope, x, Positions::from(0));
  }
  static constexpr int kTokens = 256, kHeads = 8, kDim = 64;
  RopeConfig config;
  Rope rope;
  std::vector<float> data;
};

TEST(forked, child_is_refused_and_parent_goes_on) {
  Scene scene;
  ASSERT_TRUE(scene.apply()) << hiprope_last_error();
  const std::vector<float> before = scene.data;
  const int refused = in_child([&] {
    hiprope_stats stats{};
    stats.size = sizeof(stats);
    hiprope_position_errors errors{};
    errors.size = sizeof(errors);
    hiprope_rope_info info{};
    info.size = sizeof(info);
    hiprope_rope* made = nullptr;
    std::int32_t gpus = 0;
    hiprope_device_info device{};
    device.size = sizeof(device);
    const hiprope_config config = scene.config.to_c();
    const hiprope_status statuses[] = {scene.apply().status(),
                                       hiprope_get_stats(scene.rope.get(), &stats),
                                       hiprope_get_rope_info(scene.rope.get(), &info),
                                       hiprope_read_position_errors(scene.rope.get(), nullptr, &errors),
                                       hiprope_clear_position_errors(scene.rope.get(), nullptr),
                                       hiprope_create(&config, hiprope_device_cpu, hiprope_fallback_allow, &made),
                                       hiprope_device_count(&gpus),
                                       hiprope_get_device_info(0, &device)};
    int count = 0;
    for (const hiprope_status status : statuses) count += status == hiprope_error_forked ? 1 : 0;
    const bool untouched = scene.data == before;
    scene.rope = Rope();  // destruction works
    return untouched ? count : -1;
  });
  EXPECT_EQ(refused, 8) << "of eight functions in the child";
  EXPECT_TRUE(scene.apply()) << hiprope_last_error();
}

TEST(forked, grandchild_is_refused_too) {
  Scene scene;
  ASSERT_TRUE(scene.apply());
  EXPECT_EQ(in_child([&] { return in_child([&] { return scene.apply().status() == hiprope_error_forked ? 7 : 0; }); }),
            7);
}

// Counting the GPUs may have started the runtime, which does not survive a fork.
TEST(forked, child_of_a_parent_that_only_counted_gpus_is_refused) {
  std::int32_t count = -1;
  ASSERT_EQ(hiprope_device_count(&count), hiprope_ok) << hiprope_last_error();
  EXPECT_EQ(in_child([] {
              RopeConfig config;
              config.head_dim = 8;
              config.max_positions = 4;
              return Rope(config, Device::cpu()).created().status() == hiprope_error_forked ? 3 : 0;
            }),
            3);
}

TEST(forked, what_asks_nothing_of_the_runtime_works_in_the_child) {
  EXPECT_EQ(in_child([] { return hiprope_version()[0] != '\0' && hiprope_platform()[0] != '\0' ? 3 : 0; }), 3);
}

}  // namespace
}  // namespace hiprope::test
