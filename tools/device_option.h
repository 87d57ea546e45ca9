// The option --device of the commands.
#pragma once

#include <string>

#include "hiprope/hiprope.hpp"

namespace hiprope::tools {

// auto, cpu, gpu or gpu:N as a device that is there; auto is the first GPU, or the CPU where there is none. Refuses
// anything else and says what to do.
Device choose_device(const std::string& asked);

}  // namespace hiprope::tools
