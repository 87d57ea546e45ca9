// Sizes past 32 bits on a GPU: more than 2^31 elements, strides past 2^32 elements, 2^20 tokens, grids past 65535.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <optional>
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
  std::int64_t kv_heads = 0;
  bool out_of_place = false;
  bool int32_ids = false;
  std::uint64_t launches = 1;
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

// A contiguous [tokens, heads, head_dim] on the GPU, whose input can be made again piece by piece.
class LargeTensor {
 public:
  LargeTensor(const Large& large, std::int64_t heads, std::uint64_t seed)
      : large_(large),
        heads_(heads),
        seed_(seed),
        token_bytes_(static_cast<std::size_t>(heads * large.head_dim * format_of(large.type).bytes)),
        in_(token_bytes_ * static_cast<std::size_t>(large.tokens)),
        out_(large.out_of_place ? in_.size() : 0) {
    for (std::int64_t token = 0; token < large.tokens; token += kTokensAChunk) in_.upload(input(token), at(token));
    if (large.out_of_place) out_.fill(std::byte{0x5A});
  }
  static std::size_t bytes(const Large& large) {
    const std::int64_t elements = large.tokens * (large.heads + large.kv_heads) * large.head_dim;
    return static_cast<std::size_t>(elements * format_of(large.type).bytes * (large.out_of_place ? 2 : 1));
  }
  TensorView in() const { return view(in_.data(), large_.tokens); }
  TensorView out() const { return view((large_.out_of_place ? out_ : in_).data(), large_.tokens); }

  // Compares all of it with the CPU path.
  void check(const Rope& on_cpu, const std::vector<std::int64_t>& ids) const {
    for (std::int64_t token = 0; token < large_.tokens; token += kTokensAChunk) {
      std::vector<std::byte> expected = input(token);
      const Positions positions(&ids[static_cast<std::size_t>(token)]);
      ASSERT_TRUE(apply_rope_cpu(on_cpu, view(expected.data(), chunk_tokens(token)), positions));
      std::vector<std::byte> actual(expected.size());
      (large_.out_of_place ? out_ : in_).download(actual, at(token));
      ASSERT_TRUE(expected == actual) << "in the tokens from " << token;
      if (!large_.out_of_place) continue;
      in_.download(actual, at(token));
      ASSERT_TRUE(input(token) == actual) << "the input changed in the tokens from " << token;
    }
  }

 private:
  std::int64_t chunk_tokens(std::int64_t token) const { return std::min(kTokensAChunk, large_.tokens - token); }
  std::size_t at(std::int64_t token) const { return token_bytes_ * static_cast<std::size_t>(token); }
  std::vector<std::byte> input(std::int64_t token) const {
    return random_bytes(at(chunk_tokens(token)), seed_ + static_cast<std::uint64_t>(token));
  }
  TensorView view(void* data, std::int64_t tokens) const {
    return TensorView::thd(data, large_.type, tokens, heads_, large_.head_dim);
  }

  Large large_;
  std::int64_t heads_;
  std::uint64_t seed_;
  std::size_t token_bytes_;
  DeviceBuffer in_, out_;
};

Positions on_device(const Large& large, const std::vector<std::int64_t>& ids, DeviceBuffer& memory) {
  if (!large.int32_ids) {
    memory = DeviceBuffer(ids.size() * sizeof(std::int64_t));
    memory.upload(std::as_bytes(std::span(ids)));
    return Positions(static_cast<const std::int64_t*>(static_cast<const void*>(memory.data())));
  }
  const std::vector<std::int32_t> narrow(ids.begin(), ids.end());
  memory = DeviceBuffer(narrow.size() * sizeof(std::int32_t));
  memory.upload(std::as_bytes(std::span(narrow)));
  return Positions(static_cast<const std::int32_t*>(static_cast<const void*>(memory.data())));
}

TEST_P(GpuLarge, EveryElementHasTheCpuPathsBits) {
  HIPROPE_NEEDS_GPU();
  const Large& large = GetParam();
  const std::size_t bytes = LargeTensor::bytes(large);
  if (free_device_bytes() < bytes + (std::size_t{1} << 30)) GTEST_SKIP() << "needs " << bytes << " bytes of GPU memory";

  RopeConfig config;
  config.head_dim = large.head_dim;
  config.rotary_dim = large.rotary_dim;
  config.pairing = large.pairing;
  config.max_positions = 4096;
  const Rope on_gpu(config, Device::gpu(), Fallback::forbid);
  const Rope on_cpu(config, Device::cpu());
  ASSERT_TRUE(on_gpu) << on_gpu.created().message();

  // Of the tokens outside the table the first lies far in, where a small index could not stand for it.
  Random random(run_seed());
  std::vector<std::int64_t> ids(static_cast<std::size_t>(large.tokens));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = random.between(i < ids.size() / 2 ? 0 : -8, config.max_positions - 1);
  }
  DeviceBuffer id_memory;
  const Positions positions = on_device(large, ids, id_memory);
  const LargeTensor q(large, large.heads, run_seed());
  std::optional<LargeTensor> k;
  if (large.kv_heads != 0) k.emplace(large, large.kv_heads, run_seed() + 1);

  const Stream stream;
  const TensorView q_out = q.out(), k_out = k ? k->out() : TensorView();
  const Apply apply{.out = &q_out, .k_out = k ? &k_out : nullptr};
  const Result result = k ? apply_position_embeddings_device(on_gpu, q.in(), k->in(), positions, stream.handle(), apply)
                          : apply_rope_device(on_gpu, q.in(), positions, stream.handle(), apply);
  ASSERT_TRUE(result) << result.message();
  ASSERT_EQ(result.path(), Path::gpu);
  stream.synchronize();
  EXPECT_EQ(on_gpu.stats().launches, large.launches);
  q.check(on_cpu, ids);
  if (k) k->check(on_cpu, ids);

  const auto is_out_of_range = [](std::int64_t id) { return id < 0; };
  hiprope_position_errors errors{};
  ASSERT_TRUE(on_gpu.read_position_errors(errors, stream.handle()));
  EXPECT_EQ(errors.count, static_cast<std::uint64_t>(std::count_if(ids.begin(), ids.end(), is_out_of_range)));
  EXPECT_EQ(errors.first_token, std::find_if(ids.begin(), ids.end(), is_out_of_range) - ids.begin());
}

constexpr std::int64_t kTwoTo20 = 1 << 20;
const Large kLarge[] = {
    {"tokens_2_20", DataType::bf16, Pairing::half_split, kTwoTo20, 2, 128, 128},
    {"tokens_2_20_scalar", DataType::f32, Pairing::interleaved, kTwoTo20 + 1, 1, 34, 34},
    {"elements_past_2_31", DataType::bf16, Pairing::half_split, kTwoTo20 + 3, 16, 136, 128},
    {"elements_past_2_31_interleaved", DataType::f16, Pairing::interleaved, kTwoTo20 + 5, 17, 128, 64},
    {"elements_past_2_32_scalar", DataType::bf16, Pairing::half_split, (1 << 21) + 1, 31, 70, 70},
    {.name = "q_and_k_past_2_31_out_of_place",
     .type = DataType::bf16,
     .pairing = Pairing::half_split,
     .tokens = kTwoTo20 + 7,
     .heads = 16,
     .head_dim = 136,
     .rotary_dim = 96,
     .kv_heads = 3,
     .out_of_place = true,
     .int32_ids = true},
    // Rows of odd length, so that a tile has two pairs: 64 items a token, in more blocks than one launch has.
    {.name = "blocks_past_a_launch",
     .type = DataType::bf16,
     .pairing = Pairing::half_split,
     .tokens = (1 << 25) + 3,
     .heads = 1,
     .head_dim = 257,
     .rotary_dim = 256,
     .int32_ids = true,
     .launches = 2}};
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
  const DeviceBuffer memory(bytes);
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
  const Result result = apply_rope_device(on_gpu, view, Positions::from(5), stream.handle());
  ASSERT_TRUE(result) << result.message();
  stream.synchronize();
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
