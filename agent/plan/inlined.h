// SPDX-License-Identifier: Apache-2.0
// agent/plan/inlined.h – copies of a Go function that the compiler has put into others, with a
// profile (-pgo) in places where it does not do so without. A program that does not say how it was
// built is searched like one with a profile.
//
// Limits: as many functions as the table of a Go program may have, of each what GoProgram tells.
//
// Threads: one.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/binary/go_program.h"
#include "agent/binary/program.h"

namespace mapscope {

struct InlinedCopy {
  std::string host;                   // the function whose code holds it
  std::vector<GoInlinedCode> ranges;  // never empty
};

class InlinedCopies {
 public:
  // Copies of `functions`, in those whose names start with one of `hosts` (see Runtime); none in a
  // native program.
  InlinedCopies(const Program& program, std::span<const std::string_view> hosts,
                std::span<const std::string_view> functions);

  [[nodiscard]] std::vector<InlinedCopy> of(std::string_view function) const;

 private:
  void look_into(const GoFunction& host, std::vector<GoInlinedCode> inlined,
                 std::span<const std::string_view> functions);

  std::map<std::string, std::vector<InlinedCopy>, std::less<>> copies_;  // by function
};

}  // namespace mapscope
