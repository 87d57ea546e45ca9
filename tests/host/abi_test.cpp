// The public header as C++: the same frozen layouts, and a call made from C.
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <type_traits>

#include "hiprope/hiprope.hpp"

#define LAYOUT_SIZE(type, bytes) static_assert(sizeof(type) == (bytes) && std::is_standard_layout_v<type>);
#define LAYOUT_FIELD(type, field, bytes) static_assert(offsetof(type, field) == (bytes));
#include "abi_layout.inc"

static_assert(sizeof(hiprope::TensorView) == sizeof(hiprope_tensor));
static_assert(sizeof(hiprope::Positions) == sizeof(hiprope_positions));

extern "C" int32_t hiprope_rotate_from_c(float* values, int64_t tokens, int64_t heads, int32_t head_dim);

namespace {

TEST(Abi, ACallFromC) {
  float values[2] = {3.0F, 4.0F};
  ASSERT_EQ(hiprope_rotate_from_c(values, 1, 1, 2), hiprope_ok) << hiprope_last_error();
  EXPECT_NEAR(values[0], 3 * std::cos(1.0) - 4 * std::sin(1.0), 1e-6);
  EXPECT_NEAR(values[1], 4 * std::cos(1.0) + 3 * std::sin(1.0), 1e-6);
}

}  // namespace
