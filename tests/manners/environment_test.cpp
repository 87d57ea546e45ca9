// The environment is read strictly, and a refusal names the variable and what it holds.
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "hiprope/hiprope.hpp"

namespace hiprope::test {
namespace {

Result create_with(const char* name, const char* value) {
  EXPECT_EQ(setenv(name, value, 1), 0);
  RopeConfig config;
  config.head_dim = 8;
  config.max_positions = 4;
  const Rope rope(config, Device::cpu());
  EXPECT_EQ(unsetenv(name), 0);
  return rope.created();
}

TEST(environment, nonsense_is_refused_by_name) {
  const struct {
    const char* name;
    std::vector<const char*> nonsense, known;
  } kVariables[] = {
      {"HIPROPE_LOG", {"1", "bench ", " bench", "Bench", "benchmark", "off,bench"}, {"", "off"}},
      {"HIPROPE_TUNING",
       {"1", "accesses", "accesses=", "accesses=3", "accesses=2,", ",accesses=2", "accesses=2;block=64", "block=-64",
        "block=100", "block=512", "block=99999999999", "accesses= 2", "width=8", "accesses=0", "block=0",
        "accesses=2,accesses=4", "accesses=8", "angles=table", "ahead=nothing"},
       {"", "accesses=2", "accesses=4,block=128", "block=64"}},
      {"HIPROPE_HIDE_CODE_OBJECTS", {"yes", "2", "1 ", "true"}, {"", "0", "1"}},
  };
  for (const auto& variable : kVariables) {
    for (const char* value : variable.nonsense) {
      const Result result = create_with(variable.name, value);
      EXPECT_EQ(result.status(), hiprope_error_environment) << variable.name << "=" << value;
      EXPECT_NE(result.message().find(variable.name), std::string::npos) << result.message();
      EXPECT_NE(result.message().find(value), std::string::npos) << result.message();
    }
    for (const char* value : variable.known) {
      EXPECT_TRUE(create_with(variable.name, value)) << variable.name << "=" << value << ": " << hiprope_last_error();
    }
  }
}

// A sentence that a long value would fill is cut, not written past its end.
TEST(environment, endless_values_are_refused) {
  const std::string value(100000, 'x');
  EXPECT_EQ(create_with("HIPROPE_LOG", value.c_str()).status(), hiprope_error_environment);
  EXPECT_EQ(create_with("HIPROPE_TUNING", value.c_str()).status(), hiprope_error_environment);
}

}  // namespace
}  // namespace hiprope::test
