// SPDX-License-Identifier: Apache-2.0
// agent/export/pause_text.h – pauses, for people.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "agent/model/pause.h"

namespace mapscope {

// Pauses that begin or end at one time: a line for each process that cost too much, one for all
// that are mute because of the same other process, one for all that are watched again. Escaped.
std::vector<std::string> pause_lines(std::span<const Pause> pauses);

}  // namespace mapscope
