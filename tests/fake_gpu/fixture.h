// What the tests on the stand-in runtime share: a machine that must hold nothing when a test is over, and small cases.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "hiprope/hiprope.hpp"
#include "tests/fake_gpu/fake_runtime.h"
#include "tests/support/case.h"
#include "tests/support/cases.h"
#include "tests/support/gpu.h"

namespace hiprope::test {

// Devices of the machine most tests use.
enum : int { kKernelDevice = 0, kOtherKernelDevice = 1, kBareDevice = 2, kWrongDevice = 3 };

class FakeGpu : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;  // nothing of the device may be left
};

// Q and K with a partial rotary dim; ids with two tokens outside the table.
Case small_case(bool out_of_place, Arrangement arrangement = Arrangement::padded);

// Counted calls from `before` until now, as "malloc x2, launch_kernel x1"; "" for none.
std::string calls_since(const fake::Counts& before);

}  // namespace hiprope::test
