// Loading the library, using it, unloading it and loading it again, as a plugin host does.
#include <dlfcn.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "hiprope/hiprope.h"

namespace {

template <typename Function>
Function* symbol(void* library, const char* name) {
  Function* found = nullptr;
  *reinterpret_cast<void**>(&found) = dlsym(library, name);
  EXPECT_NE(found, nullptr) << name;
  return found;
}

// Builds a table with several threads, rotates with several threads, fails once, and frees everything.
void use(void* library) {
  auto* create = symbol<decltype(hiprope_create)>(library, "hiprope_create");
  auto* destroy = symbol<decltype(hiprope_destroy)>(library, "hiprope_destroy");
  auto* apply = symbol<decltype(hiprope_apply_rope_cpu)>(library, "hiprope_apply_rope_cpu");
  auto* last_error = symbol<decltype(hiprope_last_error)>(library, "hiprope_last_error");
  hiprope_config config{};
  config.size = sizeof(config);
  config.head_dim = 128;
  config.max_positions = 4096;
  hiprope_rope* rope = nullptr;
  ASSERT_EQ(create(&config, hiprope_device_cpu, hiprope_fallback_allow, &rope), hiprope_ok) << last_error();
  std::vector<float> data(512 * 8 * 128, 1.0F);
  hiprope_tensor x{};
  x.size = sizeof(x);
  x.data = data.data();
  x.head_dim = 128;
  x.tokens = 512;
  x.heads = 8;
  x.token_stride = 8 * 128;
  x.head_stride = 128;
  hiprope_positions positions{};
  positions.size = sizeof(positions);
  positions.start = 1;
  EXPECT_EQ(apply(rope, &x, &positions, nullptr), hiprope_ok) << last_error();
  EXPECT_NE(data[0], 1.0F);
  EXPECT_EQ(apply(nullptr, &x, &positions, nullptr), hiprope_error_null_argument);
  EXPECT_STREQ(last_error(), "rope is null");
  destroy(rope);
}

void load_use_unload() {
  void* library = dlopen(HIPROPE_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  use(library);
  EXPECT_EQ(dlclose(library), 0);
}

// OpenMP's threads still run a while after a call, and may not lose their code.
TEST(reload, works_again_and_again) {
  for (int round = 0; round < 10; ++round) {
    load_use_unload();
    usleep(20000);
  }
}

TEST(reload, leaks_nothing) {
  for (int round = 0; round < 3; ++round) load_use_unload();
  const std::size_t before = mallinfo2().uordblks;
  for (int round = 0; round < 50; ++round) load_use_unload();
  const std::size_t after = mallinfo2().uordblks;
  EXPECT_LT(after, before + 50 * 64) << "bytes in use grew from " << before << " to " << after;
}

// The hook that the library hangs on fork still works.
TEST(reload, fork_after_unloading_works) {
  load_use_unload();
  const pid_t id = fork();
  if (id == 0) {
    alarm(20);
    _exit(0);
  }
  int status = -1;
  EXPECT_EQ(waitpid(id, &status, 0), id);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  load_use_unload();
}

}  // namespace
