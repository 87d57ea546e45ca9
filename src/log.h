// What HIPROPE_LOG asks for; silent otherwise.
#pragma once

#include "check.h"
#include "hiprope/hiprope.h"

namespace hiprope::internal {

// Reads HIPROPE_LOG: unset, "" or "off" is silence, "bench" logs every call. hiprope_error_environment otherwise.
[[nodiscard]] hiprope_status read_log_setting(bool& log_calls);

// Writes the call to standard error as a `hiprope bench` command line.
void log_call(const hiprope_rope& rope, const CheckedCall& call);

// Reads a variable that is 0 or 1, unset meaning 0.
[[nodiscard]] hiprope_status read_switch(const char* name, bool& value);

}  // namespace hiprope::internal
