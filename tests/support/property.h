// Random cases, and the search for a small one that fails like a big one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tests/support/case.h"
#include "tests/support/random.h"

namespace hiprope::test {

// Config, shapes, strides, alignments, positions and inputs at random; every case is one the library accepts.
Case random_case(Random& random);

// Empty when the case holds; else what is wrong.
using Property = std::function<std::string(const Case&)>;

// Runs `count` random cases. Empty, or a report: the seed, the first failing case and the smallest case found that also
// fails.
std::string check_property(const Property& property, std::int64_t count, std::uint64_t seed);

}  // namespace hiprope::test
