// Seeded random numbers that are the same on every machine, and the seed a run prints and takes.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace hiprope::test {

// SplitMix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }
  // In [low, high].
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(bits() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool chance(int percent) { return between(0, 99) < percent; }
  // In [-1, 1).
  double signed_unit() { return static_cast<double>(bits() >> 11) * 0x1p-52 - 1.0; }
  template <typename Value>
  Value pick(std::initializer_list<Value> values) {
    return values.begin()[between(0, static_cast<std::int64_t>(values.size()) - 1)];
  }

 private:
  std::uint64_t state_;
};

inline std::int64_t environment_number(const char* name, std::int64_t otherwise) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return otherwise;
  std::int64_t value = 0;
  const char* const end = text + std::strlen(text);
  const auto result = std::from_chars(text, end, value);
  if (result.ec == std::errc() && result.ptr == end) return value;
  std::fprintf(stderr, "%s is \"%s\"; set it to a whole number\n", name, text);
  std::exit(EXIT_FAILURE);
}

inline std::uint64_t run_seed() {
  return static_cast<std::uint64_t>(environment_number("HIPROPE_SEED", 20260901));
}

}  // namespace hiprope::test
