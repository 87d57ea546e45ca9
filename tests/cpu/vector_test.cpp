// The vector kernels of every instruction set this machine has, on one thread and on several, against the scalar ones.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "cpu/heads.h"
#include "cpu/numeric.h"
#include "support/random.h"

namespace {

using namespace hiprope::internal;
using hiprope::test::Random;

// Float32 values worth meeting: ordinary ones mostly, and the edges of every type.
float awkward_float(Random& random) {
  if (random.chance(85)) return static_cast<float>(random.signed_unit() * 8);
  const float edge = random.pick({0.0F, 1.0F, INFINITY, NAN, 65504.0F, 65520.0F, 3.4e38F, 0x1p-14F, 0x1p-24F, 0x1p-25F,
                                  0x1p-126F, 0x1p-133F, 0x1p-149F, 0x1.8p-130F});
  return random.chance(50) ? edge : -edge;
}

std::int64_t element_size(std::int32_t data_type) {
  return data_type == hiprope_f32 ? 4 : 2;
}

void put_float(std::int32_t data_type, float value, char* to) {
  switch (data_type) {
    case hiprope_f16: {
      const Half half = from_float<Half>(value);
      std::memcpy(to, &half, 2);
      break;
    }
    case hiprope_bf16: {
      const Bfloat bfloat = from_float<Bfloat>(value);
      std::memcpy(to, &bfloat, 2);
      break;
    }
    default:
      std::memcpy(to, &value, 4);
  }
}

bool is_nan(std::int32_t data_type, const char* at) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, at, static_cast<std::size_t>(element_size(data_type)));
  switch (data_type) {
    case hiprope_f16:
      return (bits & 0x7FFFU) > 0x7C00U;
    case hiprope_bf16:
      return (bits & 0x7FFFU) > 0x7F80U;
    default:
      return (bits & 0x7FFFFFFFU) > 0x7F800000U;
  }
}

// One random call with the memory behind it. Output memory is in `memory` with everything around it, so that a stray
// write shows.
struct Case {
  HostCall call;
  HostTensor shape[2];
  std::int64_t in_begin[2] = {}, out_begin[2] = {};  // bytes into memory
  std::vector<float> table;
  std::vector<std::uint8_t> axis_of_pair;
  std::vector<std::int64_t> ids64;
  std::vector<std::int32_t> ids32;
  std::vector<char> memory;
  std::string text;

  explicit Case(Random& random) {
    choose_head(random);
    choose_positions(random);
    for (int i = 0; i < 2; ++i) choose_tensor(random, i);
    memory.resize(memory.size() + 64);
    for (std::size_t at = 0; at + 4 <= memory.size(); at += static_cast<std::size_t>(element_size(call.data_type))) {
      put_float(call.data_type, awkward_float(random), memory.data() + at);
    }
    text = "type " + std::to_string(call.data_type) + " head_dim " + std::to_string(call.head_dim) + " rotary_dim " +
           std::to_string(call.rotary_dim) + " offset " + std::to_string(call.rotary_offset) + " blocks " +
           std::to_string(call.block_in) + " " + std::to_string(call.block_out) + " tokens " +
           std::to_string(call.tokens) + " heads " + std::to_string(shape[0].heads) + "+" +
           std::to_string(shape[1].heads) + " axes " + std::to_string(call.axes);
  }

  void choose_head(Random& random) {
    call.data_type = static_cast<std::int32_t>(random.between(hiprope_f32, hiprope_bf16));
    const std::int64_t blocks = random.chance(25) ? random.between(2, 4) : 1;
    const std::int64_t block = 2 * random.between(1, random.chance(5) ? 130 : 40);
    call.rotary_dim = static_cast<std::int32_t>(block * blocks);
    call.rotary_offset = static_cast<std::int32_t>(random.chance(30) ? random.between(1, 20) : 0);
    call.head_dim =
        call.rotary_dim + call.rotary_offset + static_cast<std::int32_t>(random.chance(50) ? random.between(1, 40) : 0);
    call.block_in = random.chance(50) ? 2 : static_cast<std::int32_t>(block);
    call.block_out = random.chance(30) ? call.rotary_dim : call.block_in;
    call.sin_sign = random.chance(50) ? 1.0F : -1.0F;
  }

  void choose_positions(Random& random) {
    call.tokens = random.between(0, 9);
    call.max_positions = random.between(1, 30);
    for (std::int64_t i = 0; i < call.max_positions * call.rotary_dim; ++i) {
      table.push_back(random.chance(3) ? random.pick({0.0F, -0.0F, 1.0F, 0x1p-20F})
                                       : static_cast<float>(random.signed_unit()));
    }
    call.table = table.data();
    if (random.chance(30)) {
      call.axes = static_cast<std::int32_t>(random.between(2, 4));
      for (int j = 0; j < call.rotary_dim / 2; ++j) {
        axis_of_pair.push_back(static_cast<std::uint8_t>(random.between(0, call.axes - 1)));
      }
      call.axis_of_pair = axis_of_pair.data();
      call.axis_stride = random.chance(50) ? call.tokens : 0;
    }
    call.start = random.between(-3, call.max_positions);
    call.ids_bytes = random.pick({4, 8});
    for (std::int64_t i = 0; i < call.axes * call.tokens; ++i) {
      ids64.push_back(random.between(random.chance(10) ? -2 : 0, call.max_positions - (random.chance(10) ? 0 : 1)));
      ids32.push_back(static_cast<std::int32_t>(ids64.back()));
    }
    if (random.chance(70) && call.tokens > 0)
      call.ids = call.ids_bytes == 8 ? static_cast<void*>(ids64.data()) : ids32.data();
  }

  void choose_tensor(Random& random, int i) {
    HostTensor& tensor = shape[i];
    const std::int64_t size = element_size(call.data_type);
    const bool in_place = call.block_in == call.block_out && random.chance(50);
    tensor.heads = random.between(0, random.chance(20) ? 40 : 7);  // 40: several groups of the vector path
    const auto choose_view = [&](std::int64_t& begin, std::int64_t& token_stride, std::int64_t& head_stride) {
      head_stride = call.head_dim + (random.chance(30) ? random.between(1, 9) : 0);
      token_stride = head_stride * tensor.heads + (random.chance(30) ? random.between(1, 9) : 0);
      begin = static_cast<std::int64_t>(memory.size()) + random.between(0, 40) * size;
      memory.resize(static_cast<std::size_t>(begin + (token_stride * call.tokens + 8) * size));
    };
    choose_view(in_begin[i], tensor.in_token_stride, tensor.in_head_stride);
    out_begin[i] = in_begin[i];
    tensor.out_token_stride = tensor.in_token_stride;
    tensor.out_head_stride = tensor.in_head_stride;
    if (!in_place) choose_view(out_begin[i], tensor.out_token_stride, tensor.out_head_stride);
  }

  RefusedTokens run(const Kernels& kernels, int threads, std::vector<char>& result) const {
    result = memory;
    HostTensor tensors[2] = {shape[0], shape[1]};
    for (int i = 0; i < 2; ++i) {
      tensors[i].in = result.data() + in_begin[i];
      tensors[i].out = result.data() + out_begin[i];
    }
    return rotate_with(kernels, threads, call, tensors, 2);
  }
};

void expect_same(const Case& test, const std::vector<char>& expected, const std::vector<char>& actual) {
  const auto size = static_cast<std::size_t>(element_size(test.call.data_type));
  for (std::size_t at = 0; at + size <= expected.size(); at += size) {
    if (std::memcmp(expected.data() + at, actual.data() + at, size) == 0) continue;
    const bool both_nan =
        is_nan(test.call.data_type, expected.data() + at) && is_nan(test.call.data_type, actual.data() + at);
    ASSERT_TRUE(both_nan) << "byte " << at << " differs, " << test.text;
  }
}

class VectorTarget : public testing::TestWithParam<std::int64_t> {
 protected:
  void SetUp() override { choose(GetParam()); }
  void TearDown() override { choose(hwy::SupportedTargets()); }
  static void choose(std::int64_t targets) { hwy::GetChosenTarget().Update(targets); }
};

TEST_P(VectorTarget, GivesTheScalarBits) {
  const std::uint64_t seed = hiprope::test::run_seed();
  SCOPED_TRACE("HIPROPE_SEED=" + std::to_string(seed));
  Random random(seed);
  int vectorizable = 0;
  std::uint64_t refused_tokens = 0;
  for (int i = 0; i < 2000; ++i) {
    const Case test(random);
    if (!is_vectorizable(test.call)) continue;
    ++vectorizable;
    std::vector<char> expected, actual;
    const RefusedTokens refused = test.run(scalar_kernels(), 1, expected);
    refused_tokens += refused.count;
    for (const int threads : {1, 2}) {
      const RefusedTokens refused_too = test.run(vector_kernels(), threads, actual);
      ASSERT_EQ(refused_too.count, refused.count) << test.text;
      ASSERT_EQ(refused_too.first, refused.first) << test.text;
      ASSERT_NO_FATAL_FAILURE(expect_same(test, expected, actual)) << threads << " threads, case " << i;
    }
  }
  EXPECT_GT(vectorizable, 1500);
  EXPECT_GT(refused_tokens, 0U);
}

// One row of 128 pairs for each chunk of `values`: (1, 0) turned by cos = value, sin = 0 is the value, rounded.
void expect_rounds_like_scalar(std::int32_t data_type, std::int32_t block, std::vector<float> values) {
  constexpr std::int64_t kPairs = 128;
  while (values.size() % kPairs != 0) values.push_back(0);
  std::vector<float> table;
  for (const float value : values) table.insert(table.end(), {value, 0.0F});
  HostCall call;
  call.data_type = data_type;
  call.head_dim = call.rotary_dim = 2 * kPairs;
  call.block_in = call.block_out = block;
  call.table = table.data();
  call.tokens = call.max_positions = static_cast<std::int64_t>(values.size()) / kPairs;
  std::vector<char> expected(values.size() * 2 * static_cast<std::size_t>(element_size(data_type)));
  for (std::size_t i = 0; i < values.size() * 2; ++i) {
    const bool is_x = block == 2 ? i % 2 == 0 : i / kPairs % 2 == 0;
    put_float(data_type, is_x ? 1.0F : 0.0F, expected.data() + i * static_cast<std::size_t>(element_size(data_type)));
  }
  std::vector<char> actual = expected;
  const auto run = [&](const Kernels& kernels, std::vector<char>& data) {
    const HostTensor tensor = {data.data(), data.data(), 1, 2 * kPairs, 2 * kPairs, 2 * kPairs, 2 * kPairs};
    rotate_with(kernels, 1, call, &tensor, 1);
  };
  run(scalar_kernels(), expected);
  run(vector_kernels(), actual);
  ASSERT_EQ(expected, actual);
}

TEST_P(VectorTarget, RoundsEveryBoundary) {
  for (const std::int32_t data_type : {hiprope_f16, hiprope_bf16}) {
    const unsigned infinity = data_type == hiprope_f16 ? 0x7C00U : 0x7F80U;
    const auto read = [&](unsigned bits) {
      const auto bits16 = static_cast<std::uint16_t>(bits);
      return data_type == hiprope_f16 ? to_float(Half{bits16}) : to_float(Bfloat{bits16});
    };
    std::vector<float> values;
    for (unsigned bits = 0; bits + 1 < infinity; ++bits) {
      const float halfway = read(bits) + (read(bits + 1) - read(bits)) / 2;
      for (const float value :
           {read(bits), halfway, std::nextafter(halfway, 0.0F), std::nextafter(halfway, INFINITY)}) {
        values.push_back(bits % 2 == 0 ? value : -value);
        values.push_back(bits % 2 == 0 ? -value : value);
      }
    }
    for (const float last : {65519.0F, 65520.0F, 0x1.FEFFFEp127F, 0x1.FFp127F, 0x1.FFFFFEp127F}) values.push_back(last);
    for (const std::int32_t block : {2, 16, 256})
      ASSERT_NO_FATAL_FAILURE(expect_rounds_like_scalar(data_type, block, values));
  }
}

TEST_P(VectorTarget, ReadsEveryValue) {
  for (const std::int32_t data_type : {hiprope_f16, hiprope_bf16}) {
    for (const std::int32_t block : {2, 64}) {
      std::vector<std::uint16_t> expected(65536);
      for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = static_cast<std::uint16_t>(i * 40503U);
      std::vector<std::uint16_t> actual = expected;
      std::vector<float> table;
      for (int j = 0; j < 32; ++j) table.insert(table.end(), {0.75F, 0.625F});
      HostCall call;
      call.data_type = data_type;
      call.head_dim = call.rotary_dim = 64;
      call.block_in = call.block_out = block;
      call.table = table.data();
      call.tokens = call.max_positions = 1;
      const auto run = [&](const Kernels& kernels, std::vector<std::uint16_t>& data) {
        const HostTensor tensor = {data.data(), data.data(), 1024, 65536, 64, 65536, 64};
        rotate_with(kernels, 1, call, &tensor, 1);
      };
      run(scalar_kernels(), expected);
      run(vector_kernels(), actual);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const auto* at = reinterpret_cast<const char*>(&expected[i]);
        const auto* at_too = reinterpret_cast<const char*>(&actual[i]);
        ASSERT_TRUE(expected[i] == actual[i] || (is_nan(data_type, at) && is_nan(data_type, at_too))) << i;
      }
    }
  }
}

// Those compiled, present and vectorised; the others take the scalar kernels, which would be compared with themselves.
std::vector<std::int64_t> vector_targets() {
  std::vector<std::int64_t> targets;
  for (std::int64_t left = hwy::SupportedTargets() & HWY_TARGETS; left != 0; left &= left - 1) {
    hwy::GetChosenTarget().Update(left & -left);
    if (vector_kernels().rotate != scalar_kernels().rotate) targets.push_back(left & -left);
  }
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  return targets;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(VectorTarget);  // a processor without fused multiply-add
INSTANTIATE_TEST_SUITE_P(Cpu, VectorTarget, testing::ValuesIn(vector_targets()),
                         [](const auto& target) { return std::string(hwy::TargetName(target.param)); });

TEST(Threads, ACallInsideAParallelRegionIsRight) {
#ifdef _OPENMP
  Random random(hiprope::test::run_seed());
  std::vector<Case> cases;
  while (cases.size() < 32) {
    Case test(random);
    if (is_vectorizable(test.call)) cases.push_back(std::move(test));
  }
  std::vector<int> right(cases.size());
#pragma omp parallel for num_threads(4)
  for (std::size_t i = 0; i < cases.size(); ++i) {
    std::vector<char> expected, actual;
    cases[i].run(scalar_kernels(), 1, expected);
    const RefusedTokens refused = cases[i].run(scalar_kernels(), 3, actual);
    right[i] = expected == actual && refused.count <= static_cast<std::uint64_t>(cases[i].call.tokens);
  }
  for (std::size_t i = 0; i < cases.size(); ++i) EXPECT_TRUE(right[i]) << cases[i].text;
#else
  GTEST_SKIP() << "built without OpenMP";
#endif
}

TEST(Threads, ASmallCallStaysOnTheCallersThread) {
  HostCall call;
  call.data_type = hiprope_bf16;
  call.head_dim = call.rotary_dim = 128;
  call.tokens = 1;
  HostTensor tensor;
  tensor.heads = 40;
  EXPECT_EQ(choose_threads(call, &tensor, 1), 1);
#ifdef _OPENMP
  call.tokens = 4096;
  EXPECT_EQ(choose_threads(call, &tensor, 1), omp_get_max_threads());
#endif
}

}  // namespace
