// SPDX-License-Identifier: Apache-2.0
// agent/export/page.h – the frame of every page for people. Threads: pure.
#pragma once

#include <string>
#include <string_view>

namespace mapscope {

// `title` is escaped here; `body` is HTML. Readable on a telephone: nothing is wider than the
// screen.
std::string html_page(std::string_view title, std::string_view body);
// Its style sheet: a file of its own, so that no page needs inline styles.
std::string_view style_sheet();

}  // namespace mapscope
