// The cos/sin table of a Rope's positions, and its factors.
#pragma once

#include <cstdint>
#include <memory>

#include "config/frequencies.h"
#include "hiprope/hiprope.h"
#include "kernels/params.h"

namespace hiprope::internal {

// Row p, pair j of the table holds A cos(p inv_freq[j]), A sin(p inv_freq[j]), A the attention scaling. With exact
// angles it is the float64 product, rounded once, of two rows of factors: coarse ones, which have A, and fine ones, see
// coarse_row and fine_row. Pairs lie in the orders of table_location and entry_location.
struct Tables {
  std::unique_ptr<float[]> table;          // [max_positions][pairs][2]
  std::unique_ptr<double[]> coarse, fine;  // [rows][pairs][2]; null with float32 angles, which are no products
  std::uint64_t coarse_bytes = 0, fine_bytes = 0;
};

// Bytes of the table, or 0 when that does not fit in 62 bits.
std::uint64_t table_bytes(std::int64_t max_positions, int pairs);

// hiprope_ok, or hiprope_error_out_of_host_memory with nothing made.
[[nodiscard]] hiprope_status make_tables(const Frequencies& frequencies, std::int64_t max_positions,
                                         std::int32_t angles, TileShifts tiles, Tables& tables);

}  // namespace hiprope::internal
