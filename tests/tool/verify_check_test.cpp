// How `hiprope verify` judges an output: right ones pass, and each way of being wrong is noticed.
#include "tools/verify_check.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <tuple>

namespace hiprope::tools {
namespace {

constexpr std::uint64_t kSeed = 20240229;
constexpr std::int64_t kTokens = 5;

// Pass-through elements on both sides of the rotary part, and gaps between heads and rows.
Model small_model(Pairing pairing) {
  RopeConfig config;
  config.head_dim = 16;
  config.rotary_dim = 8;
  config.rotary_offset = 2;
  config.max_positions = 512;
  config.pairing = pairing;
  return {"small", "gaps", config, {3, 20, 1, 70}, {2, 16, 3, 40}, false};
}

Bytes rotate(const Workload& workload, const Call& run, const RopeConfig& config) {
  const Rope rope(config, Device::cpu());
  EXPECT_TRUE(rope) << rope.created().message();
  Bytes input = workload.input;
  Bytes output = workload.before(run);
  const TensorView q = workload.q_view(input.data()), k = workload.k_view(input.data());
  const TensorView q_out = workload.q_view(output.data()), k_out = workload.k_view(output.data());
  const Apply options = run.in_place ? Apply{nullptr, nullptr, run.direction} : Apply{&q_out, &k_out, run.direction};
  const Positions positions(workload.positions.data());
  const Result result = apply_position_embeddings_cpu(rope, q, k, positions, options);
  EXPECT_TRUE(result) << result.message();
  return run.in_place ? input : output;
}

class VerifyCheck : public testing::TestWithParam<std::tuple<DataType, Pairing, bool, Direction>> {
 protected:
  VerifyCheck()
      : model_(small_model(std::get<1>(GetParam()))),
        run_{Function::position_embeddings, std::get<2>(GetParam()), std::get<3>(GetParam()), false},
        workload_(model_, std::get<0>(GetParam()), kTokens, kSeed),
        right_(rotate(workload_, run_, model_.config)) {}

  std::string failure(const Bytes& after) const { return judge(workload_, run_, after).failure; }
  // The byte offset of an element of Q's last head of the last token.
  std::size_t last_q(std::int64_t dim) const {
    const TensorLayout& q = workload_.q;
    const std::int64_t element = q.first + (kTokens - 1) * q.row + (q.heads - 1) * q.head_stride + dim;
    return static_cast<std::size_t>(element * workload_.format.bytes);
  }
  std::string failure_with_changed_byte(std::size_t byte) const {
    Bytes after = right_;
    after[byte] ^= std::byte{1};
    return failure(after);
  }

  Model model_;
  Call run_;
  Workload workload_;
  Bytes right_;
};

TEST_P(VerifyCheck, PassesRightOutput) {
  const Verdict verdict = judge(workload_, run_, right_);
  EXPECT_EQ(verdict.failure, "");
  EXPECT_GT(verdict.max_error, 0);
}

TEST_P(VerifyCheck, NoticesAnOutputNeverWritten) {
  EXPECT_NE(failure(workload_.before(run_)), "");
}

TEST_P(VerifyCheck, NoticesOneElementNeverWritten) {
  for (const std::int64_t dim : {2, 9}) {
    Bytes after = right_;
    for (int byte = 0; byte < workload_.format.bytes; ++byte) {
      after[last_q(dim) + static_cast<std::size_t>(byte)] = std::byte{0xFF};
    }
    EXPECT_NE(failure(after).find("q token 4 head 2 dim " + std::to_string(dim)), std::string::npos) << failure(after);
  }
}

TEST_P(VerifyCheck, NoticesTheOtherPairing) {
  RopeConfig other = model_.config;
  other.pairing = other.pairing == Pairing::interleaved ? Pairing::half_split : Pairing::interleaved;
  EXPECT_NE(failure(rotate(workload_, run_, other)), "");
}

TEST_P(VerifyCheck, NoticesTheOtherDirection) {
  Call other = run_;
  other.direction = run_.direction == Direction::forward ? Direction::inverse : Direction::forward;
  EXPECT_NE(failure(rotate(workload_, other, model_.config)), "");
}

TEST_P(VerifyCheck, NoticesAPositionOffByOne) {
  Workload shifted = workload_;
  shifted.positions[3] += shifted.positions[3] == 0 ? 1 : -1;
  EXPECT_NE(failure(rotate(shifted, run_, model_.config)).find("q token 3"), std::string::npos);
}

TEST_P(VerifyCheck, NoticesChangedPassThrough) {
  EXPECT_NE(failure_with_changed_byte(last_q(0)), "");
  EXPECT_NE(failure_with_changed_byte(last_q(15)), "");
}

TEST_P(VerifyCheck, NoticesWritesOutsideTheViews) {
  const auto between_heads = static_cast<std::size_t>((workload_.q.first + 17) * workload_.format.bytes);
  for (const std::size_t byte : {std::size_t{0}, between_heads, last_q(16), right_.size() - 1}) {
    EXPECT_NE(failure_with_changed_byte(byte).find("outside the views"), std::string::npos) << "byte " << byte;
  }
}

TEST_P(VerifyCheck, NoticesAnUnwantedRotationOfK) {
  run_.function = Function::rope_q;
  EXPECT_NE(failure(right_).find("outside the views"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(All, VerifyCheck,
                         testing::Combine(testing::Values(DataType::f32, DataType::f16, DataType::bf16),
                                          testing::Values(Pairing::half_split, Pairing::interleaved), testing::Bool(),
                                          testing::Values(Direction::forward, Direction::inverse)));

TEST(Workload, HoldsTheValuesThatBreakThings) {
  const Workload workload(small_model(Pairing::half_split), DataType::f16, 64, kSeed);
  int negative_zeros = 0, subnormals = 0, huge = 0;
  for (std::size_t byte = 0; byte < workload.input.size(); byte += 2) {
    const double value = workload.format.value(workload.format.load(workload.input.data() + byte));
    negative_zeros += value == 0 && std::signbit(value) ? 1 : 0;
    subnormals += value != 0 && std::abs(value) < workload.format.smallest_normal() ? 1 : 0;
    huge += std::abs(value) > 1000 ? 1 : 0;
  }
  EXPECT_GT(negative_zeros, 0);
  EXPECT_GT(subnormals, 0);
  EXPECT_GT(huge, 0);
}

TEST(Oracle, MatchesKnownFrequencies) {
  const OracleFrequencies llama = oracle_frequencies(find_model("Llama-3-8B").config);
  EXPECT_DOUBLE_EQ(llama.inv_freq[0], 1.0);
  EXPECT_NEAR(llama.inv_freq[1], 0.8146172338, 1e-9);
  const OracleFrequencies deepseek = oracle_frequencies(find_model("DeepSeek-V3").config);
  EXPECT_DOUBLE_EQ(deepseek.attention_scaling, 1.0);
  EXPECT_DOUBLE_EQ(deepseek.inv_freq[0], 1.0);
  EXPECT_NEAR(deepseek.inv_freq[31] * 40 * 7498.942093, 1.0, 1e-8);
}

}  // namespace
}  // namespace hiprope::tools
