// The machine and the cases of the tests on the stand-in runtime.
#include "tests/fake_gpu/fixture.h"

#include <fmt/format.h>

namespace hiprope::test {

void FakeGpu::SetUp() {
  fake::reset({{fake::kWithKernels}, {fake::kAlsoWithKernels}, {fake::kWithoutKernels}, {fake::kWrongKernels}});
}

void FakeGpu::TearDown() {
  fake::fail_none();
  EXPECT_EQ(fake::held(), fake::Held{}) << "something of the device is left";
  EXPECT_EQ(hipGetLastError(), hipSuccess) << "an error is left for the caller's next query";
}

Case small_case(bool out_of_place, Arrangement arrangement) {
  Draft draft;
  draft.name = out_of_place ? "small out of place" : "small in place";
  draft.config.head_dim = 32;
  draft.config.rotary_dim = 16;
  draft.config.rotary_offset = 8;
  draft.config.max_positions = 64;
  draft.type = DataType::bf16;
  draft.tokens = 6;
  draft.q_heads = 3;
  draft.k_heads = 2;
  draft.arrangement = arrangement;
  draft.out_of_place = out_of_place;
  draft.ids = {5, 63, 64, 0, -1, 17};
  return build(draft);
}

std::string calls_since(const fake::Counts& before) {
  const fake::Counts now = fake::counts();
  std::string text;
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (now[i] == before[i]) continue;
    text += fmt::format("{}{} x{}", text.empty() ? "" : ", ", fake::name_of(static_cast<fake::Call>(i)),
                        now[i] - before[i]);
  }
  return text;
}

}  // namespace hiprope::test
