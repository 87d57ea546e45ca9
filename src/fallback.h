// The CPU serving a call: tensors in host memory as they are, tensors of a GPU through staged copies.
#pragma once

#include "check.h"
#include "hiprope/hiprope.h"

namespace hiprope::internal {

[[nodiscard]] hiprope_status run_on_cpu(const hiprope_rope& rope, const CheckedCall& call);

// Copies in, rotates, copies back; waits for the stream. Refused while the stream is captured.
[[nodiscard]] hiprope_status run_through_host(const hiprope_rope& rope, const CheckedCall& call, void* stream);

}  // namespace hiprope::internal
