// Measurement of one case: its correctness, then hiprope, touch and a copy.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bench/bench_device.h"
#include "tests/support/gpu_memory.h"

namespace hiprope::tools {

using test::DeviceBuffer;
using test::Graph;
using test::Stream;

struct BenchOptions {
  Device device = Device::cpu();
  std::vector<BenchShape> shapes;
  std::vector<DataType> types{DataType::bf16};
  std::vector<std::int64_t> tokens;
  std::vector<bool> cold;  // which of the two, in order
  bool out_of_place = false, inverse = false, check = true;
  BenchPositions positions = BenchPositions::random;
  std::size_t id_bytes = 8;
  int rounds = 21;
  std::size_t cache_bytes = 0;
  std::uint64_t seed = 1;
};

struct CaseResult {
  BenchCase bench_case;
  std::size_t bytes = 0;  // of Q and K, read and written
  std::int64_t calls = 0, sets = 0;
  Timing rope, touch, copy;
  std::string touch_choice;

  double gb_per_s() const { return static_cast<double>(bytes) / rope.median * 1e-3; }
  double touch_ratio() const { return touch.median / rope.median; }
  double copy_ratio() const { return copy.median / rope.median; }
};

inline constexpr std::array<std::string_view, 3> kSweptAhead{"nothing", "angles", "lines"};

struct Choice {
  int accesses_per_thread, block_threads;
  bool factors;
  std::string_view ahead;       // one of kSweptAhead
  std::string name() const;     // as HIPROPE_TUNING takes it
  std::string heading() const;  // "8f by 64"
};

struct SweepResult {
  BenchCase bench_case;
  Timing touch;
  std::vector<std::pair<Choice, Timing>> choices;
};

// The device, its memory and the Ropes of the shape in hand.
class BenchRunner {
 public:
  explicit BenchRunner(const BenchOptions& options);

  BenchDevice& device() { return *device_; }
  std::vector<BenchCase> cases() const;
  // Throws ToolError where the output is wrong.
  CaseResult measure(const BenchCase& bench_case);
  // Every choice of the tuning table that the library accepts.
  SweepResult sweep(const BenchCase& bench_case);
  // Nanoseconds of the host for a whole call, and for launching a kernel that does nothing.
  std::pair<double, double> host_cost();

 private:
  struct Plan;  // how often a case is called and on which sets

  void use_shape(const BenchShape& shape, const std::string& tuning);
  void use_type(DataType type);
  Plan plan(const BenchCase& bench_case) const;
  Result call(const Plan& plan, std::int64_t set) const;
  void upload_positions(const Plan& plan);
  void check(const Plan& plan);
  void check_touch(const Plan& plan, std::size_t choice);
  Timing time_rope(const Plan& plan);
  std::pair<std::string, Timing> time_touch(const Plan& plan);

  BenchOptions options_;
  std::unique_ptr<BenchDevice> device_;
  std::mt19937_64 random_;
  std::vector<BenchCase> cases_;
  std::unique_ptr<DeviceBuffer> arena_, position_buffer_;
  std::vector<std::int64_t> positions_;  // those that position_buffer_ holds in id_bytes each: [set][axis][token]
  std::string shape_name_;
  std::map<std::string, Rope> ropes_;  // of the shape in hand, by the tuning they were made with
  const Rope* rope_ = nullptr;         // the one in use; not created where the tuning is unknown
  Rope reference_;
  int filled_type_ = -1;
};

}  // namespace hiprope::tools
