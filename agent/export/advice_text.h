// SPDX-License-Identifier: Apache-2.0
// agent/export/advice_text.h – one call site's advice in words.
//
// "make(map[string]*Session, 898) where it is made, at least 898 (the table then holds 1,658):
// saves 8 growths, up to 38.2 ms, 24.0 MiB of garbage; enough for 5,000 of 5,001 maps, the largest
// needs 57,456; adds 7.03 MiB to 300 smaller maps, 24.0 KiB each". The runtime words how a map is
// made; the line of the site is that of the insert, which is not where. Where that line is the
// standard library's, or runs before main only, this is said in front.
//
// Pure.
#pragma once

#include <string>

#include "agent/model/site_table.h"

namespace mapscope {

// One line, escaped; "" when there is none.
std::string advice(const SiteTotals& site);

}  // namespace mapscope
