// The cos/sin table of a Rope's positions.
#pragma once

#include <cstdint>
#include <memory>

#include "config/frequencies.h"
#include "hiprope/hiprope.h"

namespace hiprope::internal {

// [max_positions][2 * pairs]: row p holds A cos(p inv_freq[j]) of every pair j, then A sin(p inv_freq[j]), A the
// attention scaling.
using Table = std::unique_ptr<float[]>;

// Bytes of the table, or 0 when that does not fit in 62 bits.
std::uint64_t table_bytes(std::int64_t max_positions, int pairs);

// hiprope_ok, or hiprope_error_out_of_host_memory with nothing made.
[[nodiscard]] hiprope_status make_table(const Frequencies& frequencies, std::int64_t max_positions, std::int32_t angles,
                                        Table& table);

}  // namespace hiprope::internal
