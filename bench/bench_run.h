// Measurement of one case: its correctness, then what hiprope and touch add to a layer.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bench/bench_device.h"

namespace hiprope::tools {

struct BenchOptions {
  Device device = Device::cpu();
  std::vector<Model> models;  // as they are measured
  std::vector<DataType> types{DataType::bf16};
  std::vector<std::int64_t> tokens;
  bool out_of_place = false, inverse = false, check = true;
  BenchPositions positions = BenchPositions::by_tokens;
  std::size_t id_bytes = 8;
  int layers = 16, rounds = 51;
  std::uint64_t seed = 1;
};

struct NamedTiming {
  std::string name;
  std::size_t bytes;  // read and written
  Timing added;       // microseconds a layer
};

struct CaseResult {
  BenchCase bench_case;
  Timing without;                  // microseconds of a layer without any of the calls; 0 on the CPU
  std::vector<NamedTiming> calls;  // of hiprope
  NamedTiming touch;
  std::string touch_choice;

  double over_touch(const NamedTiming& call) const { return call.added.median / touch.added.median; }
};

// The device, its memory and the Ropes of the model in hand.
class BenchRunner {
 public:
  explicit BenchRunner(const BenchOptions& options);

  BenchDevice& device() { return *device_; }
  const std::vector<BenchCase>& cases() const { return cases_; }
  // Throws ToolError where the output is wrong.
  CaseResult measure(const BenchCase& bench_case);
  // The same with every choice that HIPROPE_TUNING takes, each as a call of its own.
  CaseResult sweep(const BenchCase& bench_case);
  // Nanoseconds of the host for a whole call, and for launching a kernel that does nothing.
  std::pair<double, double> host_cost();

 private:
  // A Rope made under this text of HIPROPE_TUNING; null where the library does not take it.
  const Rope* rope_of(const BenchCase& bench_case, const std::string& tuning);
  BenchBuffers prepare(const BenchCase& bench_case);
  CaseResult time(const BenchCase& bench_case, const BenchBuffers& buffers, std::vector<LayerCall> calls);
  LayerCall rope_call(const BenchCase& bench_case, const BenchBuffers& buffers, const std::string& name,
                      const Rope& rope) const;
  LayerCall touch_call(const BenchCase& bench_case, const BenchBuffers& buffers, std::size_t choice,
                       const std::string& name) const;

  BenchOptions options_;
  std::unique_ptr<BenchDevice> device_;
  std::mt19937_64 random_;
  std::vector<BenchCase> cases_;
  std::unique_ptr<DeviceBuffer> arena_, position_buffer_;
  std::vector<std::int64_t> positions_;  // those that position_buffer_ holds: [axis][token]
  std::string model_name_;
  std::map<std::string, Rope> ropes_;  // of the model in hand, by tuning
  Rope reference_;                     // on the CPU
};

}  // namespace hiprope::tools
