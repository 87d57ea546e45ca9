// How the float64 oracle judges an output: right ones pass, and each way of being wrong is noticed.
#include "tests/support/oracle.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <tuple>

namespace hiprope::test {
namespace {

constexpr std::int64_t kTokens = 5;

// Pass-through elements on both sides of the rotary part, and gaps between heads and rows.
Case small_case(DataType type, Pairing pairing, bool in_place, Direction direction) {
  Case c;
  c.name = "small";
  c.config.head_dim = 16;
  c.config.rotary_dim = 8;
  c.config.rotary_offset = 2;
  c.config.max_positions = 512;
  c.config.pairing = pairing;
  c.type = type;
  c.tokens = kTokens;
  c.q = {.buffer = 0, .heads = 3, .token_stride = 70, .head_stride = 20, .offset = 1};
  c.k = Side{.buffer = 1, .heads = 2, .token_stride = 40, .head_stride = 16, .offset = 3};
  if (!in_place) {
    c.q_out = c.q;
    c.q_out->buffer = 2;
    c.k_out = c.k;
    c.k_out->buffer = 3;
  }
  c.direction = direction;
  c.ids = {511, 0, 17, 300, 44};
  return c;
}

Images rotate(const Case& c, const Images& before) {
  Images images = before;
  const Outcome outcome = run_cpu(c, images);
  EXPECT_EQ(outcome.status, hiprope_ok) << outcome.message;
  return images;
}

class Oracle : public testing::TestWithParam<std::tuple<DataType, Pairing, bool, Direction>> {
 protected:
  Oracle() : c_(std::apply(small_case, GetParam())), before_(make_images(c_)), right_(rotate(c_, before_)) {}

  std::string failure(const Images& after) const { return judge(c_, before_, after).failure; }
  // Of an element of Q's last head of the last token.
  std::byte& last_q(Images& images, std::int64_t dim) const {
    const Side& side = c_.q_out.value_or(c_.q);
    return images[static_cast<std::size_t>(side.buffer)][byte_of(c_, side, kTokens - 1, side.heads - 1, dim)];
  }
  Case c_;
  Images before_, right_;
};

TEST_P(Oracle, PassesRightOutput) {
  const Verdict verdict = judge(c_, before_, right_);
  EXPECT_EQ(verdict.failure, "");
  EXPECT_GT(verdict.max_error, 0);
  EXPECT_GT(verdict.max_abs_error, 0);
}

TEST_P(Oracle, NoticesAnOutputNeverWritten) {
  EXPECT_NE(failure(before_), "");
}

TEST_P(Oracle, NoticesOneElementNeverWritten) {
  for (const std::int64_t dim : {2, 9}) {
    Images after = right_;
    std::fill_n(&last_q(after, dim), format_of(c_.type).bytes, std::byte{0xFF});
    EXPECT_NE(failure(after).find("token 4 head 2 dim " + std::to_string(dim)), std::string::npos) << failure(after);
  }
}

TEST_P(Oracle, NoticesTheOtherPairing) {
  Case other = c_;
  other.config.pairing = c_.config.pairing == Pairing::interleaved ? Pairing::half_split : Pairing::interleaved;
  EXPECT_NE(failure(rotate(other, before_)), "");
}

TEST_P(Oracle, NoticesTheOtherDirection) {
  Case other = c_;
  other.direction = c_.direction == Direction::forward ? Direction::inverse : Direction::forward;
  EXPECT_NE(failure(rotate(other, before_)), "");
}

TEST_P(Oracle, NoticesAPositionOffByOne) {
  Case other = c_;
  ++other.ids[3];
  EXPECT_NE(failure(rotate(other, before_)).find("token 3"), std::string::npos);
}

TEST_P(Oracle, NoticesATokenThatShouldHaveBeenLeft) {
  Case other = c_;
  other.ids[2] = -1;
  EXPECT_NE(judge(other, before_, right_).failure, "");
}

TEST_P(Oracle, NoticesALostNanAndAnInventedOne) {
  const auto put = [&](Images& images, double value) {
    store_bits(&last_q(images, 2), c_.type, encode(value, c_.type));
  };
  Images after = right_;
  put(after, NAN);
  EXPECT_NE(failure(after), "");
  if (c_.q_out) return;  // Q's input lies elsewhere
  Images with_nan = before_;
  put(with_nan, NAN);
  EXPECT_EQ(judge(c_, with_nan, rotate(c_, with_nan)).failure, "");
  EXPECT_NE(judge(c_, with_nan, right_).failure, "");
}

TEST_P(Oracle, NoticesChangedBytesElsewhere) {
  const std::size_t q_out = static_cast<std::size_t>(c_.q_out.value_or(c_.q).buffer);
  for (const std::int64_t dim : {0, 15, 16}) {  // passed through, passed through, between rows
    Images after = right_;
    last_q(after, dim) ^= std::byte{1};
    EXPECT_NE(failure(after), "") << "dim " << dim;
  }
  for (const std::size_t byte : {std::size_t{0}, right_[q_out].size() - 1}) {
    Images after = right_;
    after[q_out][byte] ^= std::byte{1};
    EXPECT_NE(failure(after).find("buffer"), std::string::npos) << "byte " << byte;
  }
  Images after = right_;
  after[1].back() ^= std::byte{1};
  EXPECT_NE(failure(after).find("buffer 1"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(All, Oracle,
                         testing::Combine(testing::Values(DataType::f32, DataType::f16, DataType::bf16),
                                          testing::Values(Pairing::half_split, Pairing::interleaved), testing::Bool(),
                                          testing::Values(Direction::forward, Direction::inverse)));

TEST(Images, WildOnesHoldTheValuesThatBreakThings) {
  Case c = small_case(DataType::f16, Pairing::half_split, true, Direction::forward);
  c.wild = true;
  const Images images = make_images(c);
  int nans = 0, subnormals = 0, huge = 0;
  for (std::size_t byte = kGuardBytes; byte + 2 <= images[0].size() - kGuardBytes; byte += 2) {
    const double value = decode(load_bits(&images[0][byte], c.type), c.type);
    nans += std::isnan(value) ? 1 : 0;
    subnormals += value != 0 && std::fabs(value) < smallest_normal(c.type) ? 1 : 0;
    huge += std::fabs(value) > 1000 && std::isfinite(value) ? 1 : 0;
  }
  EXPECT_GT(nans, 0);
  EXPECT_GT(subnormals, 0);
  EXPECT_GT(huge, 0);
}

// Llama-3-8B's and DeepSeek-V3's published parameters.
TEST(OracleFrequencies, MatchKnownOnes) {
  RopeConfig llama;
  llama.head_dim = 128;
  llama.base = 500000;
  llama.max_positions = 8192;
  const OracleFrequencies plain = oracle_frequencies(llama);
  EXPECT_DOUBLE_EQ(plain.inv_freq[0], 1.0);
  EXPECT_NEAR(plain.inv_freq[1], 0.8146172338, 1e-9);
  RopeConfig deepseek;
  deepseek.head_dim = 64;
  deepseek.max_positions = 163840;
  deepseek.scaling.type = ScalingType::yarn;
  deepseek.scaling.factor = 40;
  deepseek.scaling.original_max_positions = 4096;
  deepseek.scaling.mscale = deepseek.scaling.mscale_all_dim = 1;
  const OracleFrequencies yarn = oracle_frequencies(deepseek);
  EXPECT_TRUE(yarn.independent);
  EXPECT_DOUBLE_EQ(yarn.attention_scaling, 1.0);
  EXPECT_DOUBLE_EQ(yarn.inv_freq[0], 1.0);
  EXPECT_NEAR(yarn.inv_freq[31] * 40 * 7498.942093, 1.0, 1e-8);
}

}  // namespace
}  // namespace hiprope::test
