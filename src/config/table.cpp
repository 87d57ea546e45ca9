// The cos/sin table, as products of two rows of factors: a sine for each would take fifty times as long.
#include "config/table.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>

#include "status.h"

namespace hiprope::internal {
namespace {

constexpr std::int64_t kFewEntries = 65536;  // too few to be worth waking threads

// A position is coarse + fine: fine has the kFineBits bits from bit kFineShift on, coarse the others. Which bits these
// are is part of the table's bits, since a product of factors is rounded in float64.
constexpr int kFineShift = 3;
constexpr int kFineBits = 8;
constexpr std::int64_t kLow = (1 << kFineShift) - 1;
constexpr std::int64_t kFineRows = 1 << kFineBits;

constexpr std::int64_t fine_row(std::int64_t position) {
  return position >> kFineShift & (kFineRows - 1);
}
constexpr std::int64_t coarse_row(std::int64_t position) {
  return position >> (kFineShift + kFineBits) << kFineShift | (position & kLow);
}
constexpr std::int64_t fine_position(std::int64_t row) {
  return row << kFineShift;
}
constexpr std::int64_t coarse_position(std::int64_t row) {
  return row >> kFineShift << (kFineShift + kFineBits) | (row & kLow);
}

// cos and sin of every pair at some positions, in float64: [rows][pairs][2].
struct Factors {
  std::unique_ptr<double[]> entries;
  std::int64_t rows;

  [[nodiscard]] bool make(const Frequencies& frequencies, std::int64_t (*position_of)(std::int64_t), double scaling) {
    const std::int32_t pairs = frequencies.pairs;
    entries.reset(new (std::nothrow) double[static_cast<std::size_t>(2 * rows * pairs)]);
    if (entries == nullptr) return false;
    double* const to = entries.get();
#pragma omp parallel for schedule(static) if (rows * pairs > kFewEntries)
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto position = static_cast<double>(position_of(row));
      for (std::int32_t pair = 0; pair < pairs; ++pair) {
        const double angle = position * frequencies.inv_freq[static_cast<std::size_t>(pair)];
        double* const entry = to + (row * pairs + pair) * 2;
        entry[0] = scaling * std::cos(angle);
        entry[1] = scaling * std::sin(angle);
      }
    }
    return true;
  }
};

// cos and sin of the sums of angles.
void multiply_factors(const Factors& coarse, const Factors& fine, std::int64_t max_positions, std::int32_t pairs,
                      float* table) {
#pragma omp parallel for schedule(static) if (max_positions * pairs > kFewEntries)
  for (std::int64_t position = 0; position < max_positions; ++position) {
    const double* a = coarse.entries.get() + 2 * pairs * coarse_row(position);
    const double* b = fine.entries.get() + 2 * pairs * fine_row(position);
    float* const cos = table + 2 * pairs * position;
    for (std::int32_t pair = 0; pair < pairs; ++pair, a += 2, b += 2) {
      cos[pair] = static_cast<float>(std::fma(a[0], b[0], -(a[1] * b[1])));
      cos[pairs + pair] = static_cast<float>(std::fma(a[1], b[0], a[0] * b[1]));
    }
  }
}

// As the Python frameworks do: float32 frequency, position and product, then the scaling of the rounded cos and sin.
void fill_float32_angles(const Frequencies& frequencies, std::int64_t max_positions, float* table) {
  const std::int32_t pairs = frequencies.pairs;
  const auto scaling = static_cast<float>(frequencies.attention_scaling);
#pragma omp parallel for schedule(static) if (max_positions * pairs > kFewEntries)
  for (std::int64_t position = 0; position < max_positions; ++position) {
    float* const cos = table + 2 * pairs * position;
    for (std::int32_t pair = 0; pair < pairs; ++pair) {
      const auto inv_freq = static_cast<float>(frequencies.inv_freq[static_cast<std::size_t>(pair)]);
      const double angle = static_cast<double>(static_cast<float>(position) * inv_freq);
      cos[pair] = static_cast<float>(std::cos(angle)) * scaling;
      cos[pairs + pair] = static_cast<float>(std::sin(angle)) * scaling;
    }
  }
}

}  // namespace

std::uint64_t table_bytes(std::int64_t max_positions, int pairs) {
  const std::uint64_t row_bytes = static_cast<std::uint64_t>(pairs) * 2 * sizeof(float);
  const auto rows = static_cast<std::uint64_t>(max_positions);
  return rows > (std::uint64_t{1} << 62) / row_bytes ? 0 : rows * row_bytes;
}

hiprope_status make_table(const Frequencies& frequencies, std::int64_t max_positions, std::int32_t angles,
                          Table& table) {
  const std::uint64_t bytes = table_bytes(max_positions, frequencies.pairs);
  Table made(new (std::nothrow) float[bytes / sizeof(float)]);
  bool complete = made != nullptr;
  if (complete && angles == hiprope_angles_exact) {
    const std::int64_t last = max_positions - 1;
    Factors coarse{nullptr, ((last >> (kFineShift + kFineBits)) + 1) << kFineShift};
    Factors fine{nullptr, std::min((last >> kFineShift) + 1, kFineRows)};
    complete = coarse.make(frequencies, coarse_position, frequencies.attention_scaling) &&
               fine.make(frequencies, fine_position, 1.0);
    if (complete) multiply_factors(coarse, fine, max_positions, frequencies.pairs, made.get());
  } else if (complete) {
    fill_float32_angles(frequencies, max_positions, made.get());
  }
  if (!complete) {
    return fail(hiprope_error_out_of_host_memory, "a table of ", max_positions, " positions needs ", bytes,
                " bytes of host memory and a few more to make it");
  }
  table = std::move(made);
  return hiprope_ok;
}

}  // namespace hiprope::internal
