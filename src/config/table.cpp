// The cos/sin table and its factors.
#include "config/table.h"

#include <cmath>
#include <new>
#include <utility>

#include "kernels/params.h"
#include "status.h"

namespace hiprope::internal {
namespace {

constexpr std::int64_t kFewEntries = 65536;  // too few to be worth waking threads

// A cos and A sin of the angles of the rows' positions, A being `scaling`.
void fill_factors(const Frequencies& frequencies, std::int64_t rows, std::uint32_t (*position_of)(std::uint32_t row),
                  double scaling, std::int32_t tile_shift, double* factors) {
  const std::int32_t pairs = frequencies.pairs;
#pragma omp parallel for schedule(static) if (rows * pairs > kFewEntries)
  for (std::int64_t row = 0; row < rows; ++row) {
    const double position = position_of(static_cast<std::uint32_t>(row));
    for (std::int32_t pair = 0; pair < pairs; ++pair) {
      const double angle = position * frequencies.inv_freq[static_cast<std::size_t>(pair)];
      double* const entry = factors + (row * pairs + entry_location(pair, pairs, tile_shift)) * 2;
      entry[0] = scaling * std::cos(angle);
      entry[1] = scaling * std::sin(angle);
    }
  }
}

// cos and sin of sums of angles. kernels/angles.h multiplies in this order.
void multiply_factors(const Tables& tables, std::int64_t max_positions, std::int32_t pairs, TileShifts tiles) {
#pragma omp parallel for schedule(static) if (max_positions * pairs > kFewEntries)
  for (std::int64_t position = 0; position < max_positions; ++position) {
    const auto at = static_cast<std::uint32_t>(position);
    const double* const coarses = tables.coarse.get() + std::int64_t{coarse_row(at)} * pairs * 2;
    const double* const fines = tables.fine.get() + std::int64_t{fine_row(at)} * pairs * 2;
    for (std::int32_t pair = 0; pair < pairs; ++pair) {
      const std::int64_t entry_at = std::int64_t{2} * entry_location(pair, pairs, tiles.factors);
      const double* const coarse = coarses + entry_at;
      const double* const fine = fines + entry_at;
      float* const entry = tables.table.get() + (position * pairs + table_location(pair, pairs, tiles.table)) * 2;
      entry[0] = static_cast<float>(std::fma(coarse[0], fine[0], -(coarse[1] * fine[1])));
      entry[1] = static_cast<float>(std::fma(coarse[1], fine[0], coarse[0] * fine[1]));
    }
  }
}

// As the Python frameworks do: float32 frequency, position and product, then the scaling of the rounded cos and sin.
void fill_float32_angles(const Frequencies& frequencies, std::int64_t max_positions, std::int32_t tile_shift,
                         float* table) {
  const std::int32_t pairs = frequencies.pairs;
  const auto scaling = static_cast<float>(frequencies.attention_scaling);
#pragma omp parallel for schedule(static) if (max_positions * pairs > kFewEntries)
  for (std::int64_t position = 0; position < max_positions; ++position) {
    for (std::int32_t pair = 0; pair < pairs; ++pair) {
      const auto inv_freq = static_cast<float>(frequencies.inv_freq[static_cast<std::size_t>(pair)]);
      const double angle = static_cast<double>(static_cast<float>(position) * inv_freq);
      float* const entry = table + (position * pairs + table_location(pair, pairs, tile_shift)) * 2;
      entry[0] = static_cast<float>(std::cos(angle)) * scaling;
      entry[1] = static_cast<float>(std::sin(angle)) * scaling;
    }
  }
}

}  // namespace

std::uint64_t table_bytes(std::int64_t max_positions, int pairs) {
  const std::uint64_t row_bytes = static_cast<std::uint64_t>(pairs) * 2 * sizeof(float);
  const auto rows = static_cast<std::uint64_t>(max_positions);
  return rows > (std::uint64_t{1} << 62) / row_bytes ? 0 : rows * row_bytes;
}

hiprope_status make_tables(const Frequencies& frequencies, std::int64_t max_positions, std::int32_t angles,
                           TileShifts tiles, Tables& tables) {
  const bool exact = angles == hiprope_angles_exact;
  const std::int32_t pairs = frequencies.pairs;
  const std::uint64_t bytes = table_bytes(max_positions, pairs);
  const auto last = static_cast<std::uint32_t>(max_positions - 1);
  Tables made;
  made.table.reset(new (std::nothrow) float[bytes / sizeof(float)]);
  bool complete = made.table != nullptr;
  if (exact) {
    made.coarse_bytes = std::uint64_t{coarse_rows(last)} * static_cast<std::uint64_t>(pairs) * 2 * sizeof(double);
    made.fine_bytes = std::uint64_t{fine_rows(last)} * static_cast<std::uint64_t>(pairs) * 2 * sizeof(double);
    made.coarse.reset(new (std::nothrow) double[made.coarse_bytes / sizeof(double)]);
    made.fine.reset(new (std::nothrow) double[made.fine_bytes / sizeof(double)]);
    complete = complete && made.coarse != nullptr && made.fine != nullptr;
  }
  if (!complete) {
    return fail(hiprope_error_out_of_host_memory, "a table of ", max_positions, " positions needs ", bytes,
                " bytes of host memory and its factors ", made.coarse_bytes + made.fine_bytes);
  }
  if (exact) {
    fill_factors(frequencies, coarse_rows(last), coarse_position, frequencies.attention_scaling, tiles.factors,
                 made.coarse.get());
    fill_factors(frequencies, fine_rows(last), fine_position, 1.0, tiles.factors, made.fine.get());
    multiply_factors(made, max_positions, pairs, tiles);
  } else {
    fill_float32_angles(frequencies, max_positions, tiles.table, made.table.get());
  }
  tables = std::move(made);
  return hiprope_ok;
}

}  // namespace hiprope::internal
