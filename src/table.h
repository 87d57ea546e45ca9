// The cos/sin table: built once in float64, rounded once to float32.
#pragma once

#include <cstdint>
#include <memory>

#include "frequencies.h"
#include "hiprope/hiprope.h"

namespace hiprope::internal {

// Bytes of the table [max_positions][pairs][2] of float32, or 0 when that does not fit in 62 bits.
std::uint64_t table_bytes(std::int64_t max_positions, int pairs);

// Row p, pair j holds A cos(p inv_freq[j]), A sin(p inv_freq[j]), A the attention scaling; pairs lie in the order of
// table_location, plain for tile_shift 0. `table` has table_bytes.
void build_table(const Frequencies& frequencies, std::int64_t max_positions, std::int32_t angles,
                 std::int32_t tile_shift, float* table);

}  // namespace hiprope::internal
