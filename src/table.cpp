// The cos/sin table, one thread a range of positions.
#include "table.h"

#include <cmath>

#include "kernels/params.h"

namespace hiprope::internal {
namespace {

struct CosSin {
  float cos;
  float sin;
};

CosSin exact_angle(double position, double inv_freq, double attention_scaling) {
  const double angle = position * inv_freq;
  return {static_cast<float>(attention_scaling * std::cos(angle)),
          static_cast<float>(attention_scaling * std::sin(angle))};
}

// As the Python frameworks do: float32 frequency, position and product, then the scaling of the rounded cos and sin.
CosSin float32_angle(double position, double inv_freq, double attention_scaling) {
  const float angle = static_cast<float>(position) * static_cast<float>(inv_freq);
  const auto scaling = static_cast<float>(attention_scaling);
  return {static_cast<float>(std::cos(static_cast<double>(angle))) * scaling,
          static_cast<float>(std::sin(static_cast<double>(angle))) * scaling};
}

}  // namespace

std::uint64_t table_bytes(std::int64_t max_positions, int pairs) {
  const std::uint64_t row_bytes = static_cast<std::uint64_t>(pairs) * 2 * sizeof(float);
  const auto rows = static_cast<std::uint64_t>(max_positions);
  return rows > (std::uint64_t{1} << 62) / row_bytes ? 0 : rows * row_bytes;
}

void build_table(const Frequencies& frequencies, std::int64_t max_positions, std::int32_t angles,
                 std::int32_t tile_shift, float* table) {
  const auto angle = angles == hiprope_angles_exact ? exact_angle : float32_angle;
  const std::int64_t pairs = frequencies.pairs;
#pragma omp parallel for schedule(static) if (max_positions * pairs > 65536)
  for (std::int64_t position = 0; position < max_positions; ++position) {
    for (int pair = 0; pair < frequencies.pairs; ++pair) {
      const CosSin entry = angle(static_cast<double>(position), frequencies.inv_freq[static_cast<std::size_t>(pair)],
                                 frequencies.attention_scaling);
      float* place = table + (position * pairs + table_location(pair, frequencies.pairs, tile_shift)) * 2;
      place[0] = entry.cos;
      place[1] = entry.sin;
    }
  }
}

}  // namespace hiprope::internal
