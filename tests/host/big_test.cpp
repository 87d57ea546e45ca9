// Sizes past 32 bits on the host-compiled kernel body and on the CPU path, in sparse memory of which few pages are
// used.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <set>
#include <vector>

#include "tests/host/kernel_body.h"
#include "tests/support/random.h"

namespace hiprope::test {
namespace {

// Zeros that take memory only where they are touched.
class SparseMemory {
 public:
  explicit SparseMemory(std::size_t bytes) : bytes_(bytes) {
    data_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  }
  SparseMemory(const SparseMemory&) = delete;
  SparseMemory& operator=(const SparseMemory&) = delete;
  ~SparseMemory() {
    if (valid()) ::munmap(data_, bytes_);
  }
  bool valid() const { return data_ != MAP_FAILED; }
  template <typename Element>
  Element* as() const {
    return static_cast<Element*>(data_);
  }

 private:
  std::size_t bytes_;
  void* data_;
};

struct Big {
  const char* name;
  Pairing pairing;
  std::int64_t tokens, heads, token_stride, head_stride;
  std::int32_t head_dim;
};

void PrintTo(const Big& big, std::ostream* stream) {
  *stream << big.name;
}

class BigTensors : public testing::TestWithParam<Big> {};

constexpr std::int64_t k2To31 = std::int64_t{1} << 31;
constexpr std::int64_t k2To32 = std::int64_t{1} << 32;

// Rotates the first, middle and last tokens, which the rest of the launch leaves alone, and compares with the same rows
// close together.
TEST_P(BigTensors, RowsFarApartHaveTheBitsOfRowsCloseTogether) {
  const Big& big = GetParam();
  const std::int64_t last = (big.tokens - 1) * big.token_stride + (big.heads - 1) * big.head_stride + big.head_dim;
  const SparseMemory tensor(static_cast<std::size_t>(last) * 2);
  const SparseMemory ids(static_cast<std::size_t>(big.tokens) * 4);
  if (!tensor.valid() || !ids.valid()) GTEST_SKIP() << "this machine maps no " << last * 2 << " bytes";

  RopeConfig config;
  config.head_dim = big.head_dim;
  config.pairing = big.pairing;
  config.max_positions = 8;
  const Rope rope(config, Device::cpu());
  const std::set<std::int64_t> tokens{0, 1 % big.tokens, big.tokens / 2, big.tokens - 1};
  std::vector<std::uint16_t> close;
  std::vector<std::int32_t> close_ids;
  Random random(run_seed());
  for (const std::int64_t token : tokens) {
    ids.as<std::int32_t>()[token] = static_cast<std::int32_t>(random.between(-1, 7));
    close_ids.push_back(ids.as<std::int32_t>()[token]);
    for (std::int64_t head = 0; head < big.heads; ++head) {
      for (std::int32_t dim = 0; dim < big.head_dim; ++dim) {
        const auto bits = static_cast<std::uint16_t>(encode(random.signed_unit(), DataType::bf16));
        tensor.as<std::uint16_t>()[token * big.token_stride + head * big.head_stride + dim] = bits;
        close.push_back(bits);
      }
    }
  }
  const auto count = static_cast<std::int64_t>(tokens.size());
  const auto close_view = TensorView::thd(close.data(), DataType::bf16, count, big.heads, big.head_dim);
  ASSERT_TRUE(apply_rope_cpu(rope, close_view, Positions(close_ids.data())));

  const TensorView view(tensor.as<void>(), DataType::bf16, big.tokens, big.heads, big.head_dim, big.token_stride,
                        big.head_stride);
  const Positions positions(ids.as<std::int32_t>());
  for (const std::int64_t token : tokens) {
    BodyLaunch launch;
    const KernelParams& p = launch.plan.params;
    std::int64_t first = 0;  // of the launch that reaches the token
    do {
      ASSERT_EQ(plan_call(*rope.get(), view, nullptr, positions, nullptr, launch, first), hiprope_ok)
          << hiprope_last_error();
      first = big.tokens - launch.plan.tokens_left;
    } while (first <= token);
    const std::int64_t in_launch = token - (first - p.tokens);
    const std::int64_t token_block = in_launch / p.block_tokens;
    if (in_launch % p.block_tokens != 0 && tokens.count(token - 1) != 0) continue;  // their block has run
    for (std::uint32_t block = 0; block < p.item_blocks; ++block) {
      const std::int64_t index = token_block * p.item_blocks + block;
      ASSERT_LT(index, launch.plan.blocks);
      run_block(launch, static_cast<std::uint32_t>(index));
    }
  }

  auto wanted = close.begin();
  for (const std::int64_t token : tokens) {
    for (std::int64_t head = 0; head < big.heads; ++head) {
      const auto* row = tensor.as<std::uint16_t>() + token * big.token_stride + head * big.head_stride;
      EXPECT_TRUE(std::equal(row, row + big.head_dim, wanted)) << "token " << token << " head " << head;
      wanted += big.head_dim;
    }
  }
}

// Positions up to 2^29 - 1 on two axes, in a table of 8 GiB that has only the rows of the last eight positions:
// the bits are those of the first eight positions in a small table of these rows.
TEST(BigTable, TheLastRowsOf8GiBTurn) {
  constexpr std::int64_t kTokens = 64;
  constexpr std::int64_t kRows = std::int64_t{1} << 29;
  constexpr std::int32_t kHeadDim = 4, kPositions = 8;
  RopeConfig config;
  config.head_dim = kHeadDim;
  config.axes = 2;
  config.sections = {1, 1, 0, 0};
  config.max_positions = kPositions;
  const Rope rope(config, Device::cpu());
  std::vector<std::uint16_t> near(kTokens * kHeadDim), far;
  std::vector<std::int32_t> near_ids(2 * kTokens), far_ids;
  Random random(run_seed());
  for (std::uint16_t& bits : near) bits = static_cast<std::uint16_t>(encode(random.signed_unit(), DataType::bf16));
  for (std::int32_t& id : near_ids) id = static_cast<std::int32_t>(random.between(0, kPositions - 1));
  far = near;
  const auto first = static_cast<std::int32_t>(kRows - kPositions);
  for (const std::int32_t id : near_ids) far_ids.push_back(first + id);

  const Positions near_positions(near_ids.data(), 2, kTokens), far_positions(far_ids.data(), 2, kTokens);
  const auto view = [](std::vector<std::uint16_t>& tensor) {
    return TensorView::thd(tensor.data(), DataType::bf16, kTokens, 1, kHeadDim);
  };
  ASSERT_TRUE(apply_rope_cpu(rope, view(near), near_positions));

  BodyLaunch launch;
  ASSERT_EQ(plan_call(*rope.get(), view(far), nullptr, far_positions, nullptr, launch), hiprope_ok)
      << hiprope_last_error();
  KernelParams& p = launch.plan.params;
  const std::int64_t numbers = 2 * p.pairs;  // of a row
  const SparseMemory table(static_cast<std::size_t>(kRows * numbers) * sizeof(float));
  if (!table.valid()) GTEST_SKIP() << "this machine maps no " << kRows * numbers * 4 << " bytes";
  std::copy_n(p.table, kPositions * numbers, table.as<float>() + first * numbers);
  p.table = table.as<float>();
  p.max_positions = kRows;
  for (std::uint32_t block = 0; block < launch.plan.blocks; ++block) run_block(launch, block);
  EXPECT_EQ(launch.out_of_range[0], 0U);
  EXPECT_EQ(far, near);
}

const Big kBig[] = {{"elements_past_2_31", Pairing::half_split, (1 << 24) + 3, 3, 3 * 128, 128, 128},
                    {"elements_past_2_31_scalar", Pairing::interleaved, (1 << 24) + 3, 7, 7 * 66, 66, 66},
                    {"token_stride_past_2_32", Pairing::half_split, 4, 3, k2To32 + 8, 64, 64},
                    {"token_stride_past_2_32_unaligned", Pairing::half_split, 4, 3, k2To32 + 67, 64, 64},
                    {"head_stride_past_2_32", Pairing::interleaved, 5, 4, 64, k2To32 + 8, 64},
                    {"tokens_past_2_31", Pairing::half_split, k2To31 + 5, 1, 2, 2, 2}};
INSTANTIATE_TEST_SUITE_P(Sparse, BigTensors, testing::ValuesIn(kBig),
                         [](const auto& instance) { return std::string(instance.param.name); });

// The CPU path takes strides past 2^32 elements as it takes others.
TEST(BigTensorsOnTheCpu, StridesPast2To32) {
  for (const std::int64_t stride : {k2To32 + 8, k2To32 + 67}) {
    const SparseMemory tensor(static_cast<std::size_t>(2 * stride + 128) * 2);
    if (!tensor.valid()) GTEST_SKIP() << "this machine maps no " << 4 * stride << " bytes";
    RopeConfig config;
    config.head_dim = 64;
    config.max_positions = 8;
    const Rope rope(config, Device::cpu());
    std::vector<std::uint16_t> close;
    Random random(run_seed());
    for (std::int64_t row = 0; row < 3; ++row) {
      for (std::int64_t i = 0; i < 128; ++i) {
        close.push_back(static_cast<std::uint16_t>(encode(random.signed_unit(), DataType::f16)));
        tensor.as<std::uint16_t>()[row * stride + i] = close.back();
      }
    }
    const TensorView far(tensor.as<void>(), DataType::f16, 3, 2, 64, stride, 64);
    ASSERT_TRUE(apply_rope_cpu(rope, far, Positions::from(3)));
    ASSERT_TRUE(apply_rope_cpu(rope, TensorView::thd(close.data(), DataType::f16, 3, 2, 64), Positions::from(3)));
    for (std::int64_t row = 0; row < 3; ++row) {
      const auto* at = tensor.as<std::uint16_t>() + row * stride;
      EXPECT_TRUE(std::equal(at, at + 128, close.begin() + row * 128)) << row;
    }
  }
}

}  // namespace
}  // namespace hiprope::test
