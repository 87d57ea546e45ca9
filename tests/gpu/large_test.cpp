// Sizes past 32 bits on a GPU: more than 2^31 elements, strides past 2^32 elements, 2^20 tokens, grids past 65535.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "tests/support/gpu.h"
#include "tests/support/random.h"

namespace hiprope::test {
namespace {

struct Large {
  const char* name;
  DataType type;
  Pairing pairing;
  std::int64_t tokens, heads;
  std::int32_t head_dim, rotary_dim;
};

void PrintTo(const Large& large, std::ostream* stream) {
  *stream << large.name;
}

class GpuLarge : public testing::TestWithParam<Large> {};

constexpr std::int64_t kTokensAChunk = 1 << 14;

std::vector<std::byte> random_bytes(std::size_t count, std::uint64_t seed) {
  std::vector<std::byte> bytes(count);
  Random random(seed);
  for (std::size_t i = 0; i + 8 <= count; i += 8) {
    // Exponents below the top, so that no value is an infinity or NaN in any of the types.
    const std::uint64_t word = random.bits() & 0xBFFFBFFFBFFFBFFFU;
    std::memcpy(&bytes[i], &word, sizeof(word));
  }
  return bytes;
}

// In place over a contiguous [tokens, heads, head_dim], checked whole, piece by piece, with the CPU path.
TEST_P(GpuLarge, EveryElementHasTheCpuPathsBits) {
  HIPROPE_NEEDS_GPU();
  const Large& large = GetParam();
  const auto token_bytes = static_cast<std::size_t>(large.heads * large.head_dim * format_of(large.type).bytes);
  const std::size_t bytes = token_bytes * static_cast<std::size_t>(large.tokens);
  if (free_device_bytes() < bytes + (std::size_t{1} << 30)) GTEST_SKIP() << "needs " << bytes << " bytes of GPU memory";

  RopeConfig config;
  config.head_dim = large.head_dim;
  config.rotary_dim = large.rotary_dim;
  config.pairing = large.pairing;
  config.max_positions = 4096;
  const Rope on_gpu(config, Device::gpu(), Fallback::forbid);
  const Rope on_cpu(config, Device::cpu());
  ASSERT_TRUE(on_gpu) << on_gpu.created().message();

  Random random(run_seed());
  std::vector<std::int64_t> ids(static_cast<std::size_t>(large.tokens));
  for (auto& id : ids) id = random.between(-8, config.max_positions - 1);
  const DeviceMemory device_ids(ids.size() * sizeof(std::int64_t));
  device_ids.upload(std::as_bytes(std::span(ids)));
  const DeviceMemory memory(bytes);
  const auto chunk_tokens = [&](std::int64_t token) { return std::min(kTokensAChunk, large.tokens - token); };
  for (std::int64_t token = 0; token < large.tokens; token += kTokensAChunk) {
    const std::size_t chunk_bytes = token_bytes * static_cast<std::size_t>(chunk_tokens(token));
    memory.upload(random_bytes(chunk_bytes, run_seed() + static_cast<std::uint64_t>(token)),
                  token_bytes * static_cast<std::size_t>(token));
  }

  const Stream stream;
  const auto view = TensorView::thd(memory.data(), large.type, large.tokens, large.heads, large.head_dim);
  const Positions positions(static_cast<const std::int64_t*>(static_cast<const void*>(device_ids.data())));
  const Result result = apply_rope_device(on_gpu, view, positions, stream.get());
  ASSERT_TRUE(result) << result.message();
  ASSERT_EQ(result.path(), Path::gpu);
  stream.wait();

  for (std::int64_t token = 0; token < large.tokens; token += kTokensAChunk) {
    const std::int64_t count = chunk_tokens(token);
    const std::size_t chunk_bytes = token_bytes * static_cast<std::size_t>(count);
    std::vector<std::byte> expected = random_bytes(chunk_bytes, run_seed() + static_cast<std::uint64_t>(token));
    const auto part = TensorView::thd(expected.data(), large.type, count, large.heads, large.head_dim);
    ASSERT_TRUE(apply_rope_cpu(on_cpu, part, Positions(&ids[static_cast<std::size_t>(token)])));
    std::vector<std::byte> actual(chunk_bytes);
    memory.download(actual, token_bytes * static_cast<std::size_t>(token));
    ASSERT_TRUE(expected == actual) << "in the tokens from " << token;
  }
  hiprope_position_errors errors{};
  ASSERT_TRUE(on_gpu.read_position_errors(errors, stream.get()));
  EXPECT_EQ(errors.count,
            static_cast<std::uint64_t>(std::count_if(ids.begin(), ids.end(), [](auto id) { return id < 0; })));
}

constexpr std::int64_t kTwoTo20 = 1 << 20;
const Large kLarge[] = {
    {"tokens_2_20", DataType::bf16, Pairing::half_split, kTwoTo20, 2, 128, 128},
    {"tokens_2_20_scalar", DataType::f32, Pairing::interleaved, kTwoTo20 + 1, 1, 34, 34},
    {"elements_past_2_31", DataType::bf16, Pairing::half_split, kTwoTo20 + 3, 16, 136, 128},
    {"elements_past_2_31_interleaved", DataType::f16, Pairing::interleaved, kTwoTo20 + 5, 17, 128, 64},
    {"elements_past_2_32_scalar", DataType::bf16, Pairing::half_split, (1 << 21) + 1, 31, 70, 70}};
INSTANTIATE_TEST_SUITE_P(Sizes, GpuLarge, testing::ValuesIn(kLarge),
                         [](const auto& instance) { return std::string(instance.param.name); });

// Few rows, each more than 2^32 elements from the next.
void run_far_apart(bool far_tokens, bool aligned) {
  HIPROPE_NEEDS_GPU();
  const std::int64_t far = (std::int64_t{1} << 32) + (aligned ? 64 : 67);
  RopeConfig config;
  config.head_dim = 64;
  config.max_positions = 16;
  const std::int64_t tokens = 3;
  const std::int64_t heads = 3;
  const std::int64_t token_stride = far_tokens ? far : 64;
  const std::int64_t head_stride = far_tokens ? 64 : far;
  const std::size_t bytes = 2 * static_cast<std::size_t>(2 * far + 3 * 64);
  if (free_device_bytes() < bytes + (std::size_t{1} << 30)) GTEST_SKIP() << "needs " << bytes << " bytes of GPU memory";
  const DeviceMemory memory(bytes);
  memory.fill(std::byte{0x5A});
  const Rope on_gpu(config, Device::gpu(), Fallback::forbid);
  const Rope on_cpu(config, Device::cpu());
  const std::size_t run_bytes = 3 * 64 * 2;  // three near rows
  std::vector<std::byte> expected;
  for (int i = 0; i < 3; ++i) {
    const auto part = random_bytes(run_bytes, run_seed() + static_cast<std::uint64_t>(i));
    memory.upload(part, static_cast<std::size_t>(i * far) * 2);
    expected.insert(expected.end(), part.begin(), part.end());
  }
  const Stream stream;
  const TensorView view(memory.data(), DataType::f16, tokens, heads, 64, token_stride, head_stride);
  const Result result = apply_rope_device(on_gpu, view, Positions::from(5), stream.get());
  ASSERT_TRUE(result) << result.message();
  stream.wait();
  const TensorView packed(expected.data(), DataType::f16, tokens, heads, 64, far_tokens ? 192 : 64,
                          far_tokens ? 64 : 192);
  ASSERT_TRUE(apply_rope_cpu(on_cpu, packed, Positions::from(5)));
  std::vector<std::byte> actual(run_bytes + 256);
  for (int i = 0; i < 3; ++i) {
    const std::size_t fence = i == 2 ? 0 : 256;  // bytes behind the run; the last one ends the memory
    memory.download(std::span(actual).first(run_bytes + fence), static_cast<std::size_t>(i * far) * 2);
    EXPECT_TRUE(std::equal(actual.begin(), actual.begin() + static_cast<std::ptrdiff_t>(run_bytes),
                           expected.begin() + static_cast<std::ptrdiff_t>(run_bytes) * i))
        << "row group " << i;
    for (std::size_t byte = 0; byte < fence; ++byte) ASSERT_EQ(actual[run_bytes + byte], std::byte{0x5A});
  }
}

TEST(GpuLargeStrides, TokensPast2To32) {
  run_far_apart(true, true);
}
TEST(GpuLargeStrides, TokensPast2To32Unaligned) {
  run_far_apart(true, false);
}
TEST(GpuLargeStrides, HeadsPast2To32) {
  run_far_apart(false, true);
}
TEST(GpuLargeStrides, HeadsPast2To32Unaligned) {
  run_far_apart(false, false);
}

}  // namespace
}  // namespace hiprope::test
