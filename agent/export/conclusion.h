// SPDX-License-Identifier: Apache-2.0
// agent/export/conclusion.h – what a summary begins with: how long inserts stalled in what share of
// the time, which lines cause most of it, what to change, what that saves, and what was not
// watched.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "agent/export/summary.h"

namespace mapscope {

// The first sites that together cause most of the cost, at most three.
size_t main_sites(const std::vector<SiteTotals>& sites);

// Lines of at most `width`; kUnlimited: one for each sentence. Escaped.
std::vector<std::string> conclusion_lines(const Summary& summary, size_t width);

}  // namespace mapscope
