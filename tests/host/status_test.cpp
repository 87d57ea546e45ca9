// Statuses: the table of names, every refusal a caller can run into without a GPU, and that a refused call writes
// nothing.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <limits>
#include <set>
#include <string>
#include <thread>

#include "tests/host/refusals.h"

namespace hiprope::test {
namespace {

constexpr const char* kNames[] = {
    "hiprope_ok",
    "hiprope_error_null_argument",
    "hiprope_error_struct_size",
    "hiprope_error_enum_value",
    "hiprope_error_head_dim",
    "hiprope_error_rotary_dim",
    "hiprope_error_pairing",
    "hiprope_error_base",
    "hiprope_error_max_positions",
    "hiprope_error_scaling",
    "hiprope_error_axes",
    "hiprope_error_data_type",
    "hiprope_error_negative_size",
    "hiprope_error_stride",
    "hiprope_error_view_overlap",
    "hiprope_error_shape",
    "hiprope_error_alignment",
    "hiprope_error_positions",
    "hiprope_error_in_place",
    "hiprope_error_no_such_device",
    "hiprope_error_wrong_device",
    "hiprope_error_no_code_object",
    "hiprope_error_capturing",
    "hiprope_error_forked",
    "hiprope_error_out_of_host_memory",
    "hiprope_error_too_large",
    "hiprope_error_environment",
};

TEST(StatusTable, NamesFollowTheEnum) {
  std::set<std::string> messages;
  for (int i = 0; i < static_cast<int>(std::size(kNames)); ++i) {
    EXPECT_STREQ(hiprope_status_name(-i), kNames[i]);
    EXPECT_TRUE(messages.insert(hiprope_status_message(-i)).second) << hiprope_status_message(-i);
    EXPECT_GT(std::strlen(hiprope_status_message(-i)), 5U);
  }
  EXPECT_EQ(hiprope_error_environment, -26) << "a status added to the header needs a row here";
}

TEST(StatusTable, UnknownValuesHaveAText) {
  for (const hiprope_status status : {-27, -1000, std::numeric_limits<hiprope_status>::min()}) {
    EXPECT_STREQ(hiprope_status_name(status), "hiprope_error_unknown");
    EXPECT_NE(hiprope_status_message(status), nullptr);
  }
  for (const hiprope_status status : {1, 98, std::numeric_limits<hiprope_status>::max()}) {
    EXPECT_NE(hiprope_status_name(status), nullptr);
    EXPECT_NE(hiprope_status_message(status), nullptr);
  }
}

TEST(Creation, NullArguments) {
  hiprope_rope* rope = nullptr;
  hiprope_config config = good_config();
  EXPECT_EQ(hiprope_create(nullptr, hiprope_device_cpu, 0, &rope), hiprope_error_null_argument);
  EXPECT_NE(std::string(hiprope_last_error()).find("config"), std::string::npos) << hiprope_last_error();
  EXPECT_EQ(hiprope_create(&config, hiprope_device_cpu, 0, nullptr), hiprope_error_null_argument);
  EXPECT_NE(std::string(hiprope_last_error()).find("rope"), std::string::npos) << hiprope_last_error();
  hiprope_destroy(nullptr);
}

TEST(Creation, UnknownFallbackAndDevice) {
  hiprope_config config = good_config();
  hiprope_rope* rope = nullptr;
  EXPECT_EQ(hiprope_create(&config, hiprope_device_cpu, 2, &rope), hiprope_error_enum_value);
  EXPECT_NE(std::string(hiprope_last_error()).find("fallback"), std::string::npos) << hiprope_last_error();
  EXPECT_EQ(hiprope_create(&config, 1000, 0, &rope), hiprope_error_no_such_device);
  EXPECT_EQ(hiprope_create(&config, -2, 0, &rope), hiprope_error_no_such_device) << hiprope_last_error();
  EXPECT_EQ(rope, nullptr);
}

TEST(Creation, ATableThatDoesNotFitIntoMemorySaysItsBytes) {
  hiprope_config config = good_config();
  // 2^49 bytes, more than the addresses of a process.
  config.head_dim = 65536;
  config.rotary_dim = 65536;
  config.max_positions = std::int64_t{1} << 31;
  hiprope_rope* rope = nullptr;
  EXPECT_EQ(hiprope_create(&config, hiprope_device_cpu, 0, &rope), hiprope_error_out_of_host_memory)
      << hiprope_last_error();
  EXPECT_NE(std::string(hiprope_last_error()).find("562949953421312"), std::string::npos) << hiprope_last_error();
}

TEST(Creation, NonsenseInTheEnvironmentIsRefusedByName) {
  hiprope_config config = good_config();
  hiprope_rope* rope = nullptr;
  ::setenv("HIPROPE_LOG", "loud", 1);
  EXPECT_EQ(hiprope_create(&config, hiprope_device_cpu, 0, &rope), hiprope_error_environment);
  ::unsetenv("HIPROPE_LOG");
  EXPECT_NE(std::string(hiprope_last_error()).find("HIPROPE_LOG"), std::string::npos) << hiprope_last_error();
  EXPECT_NE(std::string(hiprope_last_error()).find("loud"), std::string::npos) << hiprope_last_error();
  EXPECT_EQ(rope, nullptr);
}

// ---- Struct sizes -----------------------------------------------------------------------------------------------

// Gives `use` a copy of the struct in every size up to its own and 16 bytes more, with nonsense behind that size, and
// tells it whether the size may be a version's.
template <typename Struct, typename Use>
void in_every_size(const Struct& whole, std::size_t smallest, const Use& use) {
  for (std::size_t size = 0; size <= sizeof(Struct) + 16; ++size) {
    SCOPED_TRACE(testing::Message() << size << " of " << sizeof(Struct) << " bytes");
    std::array<std::byte, sizeof(Struct) + 16> bytes;
    bytes.fill(std::byte{0xEE});
    std::memcpy(bytes.data(), &whole, std::min(size, sizeof(Struct)));
    std::memcpy(bytes.data(), &size, sizeof(size));
    Struct older;
    std::memcpy(&older, bytes.data(), sizeof(older));
    use(older, size >= smallest && size <= sizeof(Struct) && size % alignof(Struct) == 0);
  }
}

// An older, smaller struct works, and what lies behind it is neither read nor written.
TEST(StructSizes, OlderStructsOfEverySizeWork) {
  Call c;
  hiprope_rope* rope = nullptr;
  in_every_size(c.config, offsetof(hiprope_config, scaling), [&](const hiprope_config& config, bool known) {
    EXPECT_EQ(hiprope_create(&config, hiprope_device_cpu, 0, &rope), known ? hiprope_ok : hiprope_error_struct_size)
        << hiprope_last_error();
    EXPECT_EQ(rope != nullptr, known);
    hiprope_destroy(rope);
  });
  ASSERT_EQ(hiprope_create(&c.config, hiprope_device_cpu, 0, &rope), hiprope_ok);
  const auto call = [&](const hiprope_positions& positions, const hiprope_apply_options& options, bool known) {
    EXPECT_EQ(hiprope_apply_position_embeddings_cpu(rope, &c.q, &c.k, &positions, &options),
              known ? hiprope_ok : hiprope_error_struct_size)
        << hiprope_last_error();
  };
  in_every_size(c.positions, offsetof(hiprope_positions, axis_stride),
                [&](const hiprope_positions& older, bool known) { call(older, c.options, known); });
  in_every_size(c.options, offsetof(hiprope_apply_options, k_out),
                [&](const hiprope_apply_options& older, bool known) { call(c.positions, older, known); });
  hiprope_destroy(rope);
}

TEST(StructSizes, ASizeOfNoVersionIsRefusedAndNothingWritten) {
  Call c;
  hiprope_rope* rope = nullptr;
  ASSERT_EQ(hiprope_create(&c.config, hiprope_device_cpu, 0, &rope), hiprope_ok);
  hiprope_stats stats{};
  std::memset(&stats, 0xEE, sizeof(stats));
  stats.size = sizeof(std::size_t);
  EXPECT_EQ(hiprope_get_stats(rope, &stats), hiprope_error_struct_size);
  EXPECT_EQ(stats.launches, 0xEEEEEEEEEEEEEEEEU);
  EXPECT_EQ(stats.bytes_device_to_host, 0xEEEEEEEEEEEEEEEEU);
  hiprope_destroy(rope);
}

TEST(StructSizes, OutputsOfTheFutureAreRefused) {
  Call c;
  hiprope_rope* rope = nullptr;
  ASSERT_EQ(hiprope_create(&c.config, hiprope_device_cpu, 0, &rope), hiprope_ok);
  hiprope_stats stats{};
  hiprope_rope_info info{};
  hiprope_position_errors errors{};
  hiprope_frequency_report report{};
  for (const std::size_t extra : {std::size_t{1}, std::size_t{8}}) {
    stats.size = sizeof(stats) + extra;
    info.size = sizeof(info) + extra;
    errors.size = sizeof(errors) + extra;
    report.size = sizeof(report) + extra;
    EXPECT_EQ(hiprope_get_stats(rope, &stats), hiprope_error_struct_size);
    EXPECT_EQ(hiprope_get_rope_info(rope, &info), hiprope_error_struct_size);
    EXPECT_EQ(hiprope_read_position_errors(rope, nullptr, &errors), hiprope_error_struct_size);
    EXPECT_EQ(hiprope_frequencies(&c.config, &report), hiprope_error_struct_size);
  }
  EXPECT_EQ(hiprope_get_stats(rope, nullptr), hiprope_error_null_argument);
  EXPECT_EQ(hiprope_get_stats(nullptr, &stats), hiprope_error_null_argument);
  EXPECT_EQ(hiprope_get_rope_info(rope, nullptr), hiprope_error_null_argument);
  EXPECT_EQ(hiprope_get_rope_info(nullptr, &info), hiprope_error_null_argument);
  EXPECT_EQ(hiprope_read_position_errors(rope, nullptr, nullptr), hiprope_error_null_argument);
  EXPECT_EQ(hiprope_read_position_errors(nullptr, nullptr, &errors), hiprope_error_null_argument);
  EXPECT_EQ(hiprope_clear_position_errors(nullptr, nullptr), hiprope_error_null_argument);
  EXPECT_EQ(hiprope_frequencies(&c.config, nullptr), hiprope_error_null_argument);
  EXPECT_EQ(hiprope_frequencies(nullptr, &report), hiprope_error_null_argument);
  EXPECT_EQ(hiprope_device_count(nullptr), hiprope_error_null_argument);
  hiprope_destroy(rope);
}

// ---- Machine, threads, processes --------------------------------------------------------------------------------

TEST(Machine, DevicesAndCodeObjects) {
  std::int32_t count = -1;
  ASSERT_EQ(hiprope_device_count(&count), hiprope_ok) << hiprope_last_error();
  EXPECT_GE(count, 0);
  hiprope_device_info info{};
  info.size = sizeof(info);
  EXPECT_EQ(hiprope_get_device_info(count, &info), hiprope_error_no_such_device);
  EXPECT_EQ(hiprope_get_device_info(-1, &info), hiprope_error_no_such_device);
  for (std::int32_t i = 0; i < hiprope_code_object_count(); ++i) {
    EXPECT_NE(hiprope_code_object_architecture(i), nullptr) << i;
  }
  EXPECT_EQ(hiprope_code_object_architecture(hiprope_code_object_count()), nullptr);
  EXPECT_EQ(hiprope_code_object_architecture(-1), nullptr);
  EXPECT_STREQ(hiprope_version(), HIPROPE_VERSION_STRING);
}

TEST(Errors, EachThreadHasItsOwnSentence) {
  hiprope_config config = good_config();
  config.head_dim = 1;
  hiprope_rope* rope = nullptr;
  ASSERT_NE(hiprope_create(&config, hiprope_device_cpu, 0, &rope), hiprope_ok);
  const std::string mine = hiprope_last_error();
  std::thread([&] {
    EXPECT_STREQ(hiprope_last_error(), "");
    EXPECT_NE(hiprope_create(nullptr, hiprope_device_cpu, 0, &rope), hiprope_ok);
    EXPECT_NE(hiprope_last_error(), mine);
  }).join();
  EXPECT_EQ(hiprope_last_error(), mine);
}

TEST(Errors, ASuccessKeepsTheSentence) {
  hiprope_config config = good_config();
  hiprope_rope* rope = nullptr;
  ASSERT_NE(hiprope_create(nullptr, hiprope_device_cpu, 0, &rope), hiprope_ok);
  const std::string sentence = hiprope_last_error();
  ASSERT_EQ(hiprope_create(&config, hiprope_device_cpu, 0, &rope), hiprope_ok);
  EXPECT_EQ(hiprope_last_error(), sentence);
  hiprope_destroy(rope);
}

TEST(Fork, AHandleFromBeforeIsRefusedInTheChild) {
  Call c;
  hiprope_rope* rope = nullptr;
  ASSERT_EQ(hiprope_create(&c.config, hiprope_device_cpu, 0, &rope), hiprope_ok);
  ASSERT_EQ(hiprope_apply_rope_cpu(rope, &c.q, &c.positions, nullptr), hiprope_ok);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const std::vector<float> before = c.memory;
    const bool refused = hiprope_apply_rope_cpu(rope, &c.q, &c.positions, nullptr) == hiprope_error_forked;
    ::_exit(refused && c.memory == before && std::string(hiprope_last_error()).find("fork") != std::string::npos ? 0
                                                                                                                 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(hiprope_apply_rope_cpu(rope, &c.q, &c.positions, nullptr), hiprope_ok) << "the parent is not affected";
  hiprope_destroy(rope);
}

// Every negative status is the expectation of a test: here, or in the GPU suite, which these three need.
TEST(StatusTable, EveryStatusIsReached) {
  std::set<hiprope_status> reached{hiprope_error_wrong_device, hiprope_error_no_code_object,
                                   hiprope_error_capturing,    hiprope_error_no_such_device,
                                   hiprope_error_forked,       hiprope_error_out_of_host_memory,
                                   hiprope_error_environment};
  reached.merge(statuses_of_bad_configs());
  reached.merge(statuses_of_bad_calls());
  for (int i = 1; i < static_cast<int>(std::size(kNames)); ++i) EXPECT_TRUE(reached.contains(-i)) << kNames[i];
}

}  // namespace
}  // namespace hiprope::test
