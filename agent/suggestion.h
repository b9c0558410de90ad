// SPDX-License-Identifier: Apache-2.0
// agent/suggestion.h – what somebody who mistyped a word may have meant. Threads: pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mapscope {

// The nearest of the known words: one that the word is the beginning of, or that is few letters
// missing, added, changed or swapped away. "" when none is near.
std::string nearest_word(std::string_view word, const std::vector<std::string>& known);

// "; did you mean --pid?", or "".
std::string suggestion_text(std::string_view word, const std::vector<std::string>& known);

}  // namespace mapscope
