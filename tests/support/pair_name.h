// SPDX-License-Identifier: Apache-2.0
// tests/support/pair_name.h – names tests of a program and a word: "1_27_pie_races".
#pragma once

#include <string>
#include <tuple>

namespace mapscope::test {

struct PairName {
  template <typename Info>
  std::string operator()(const Info& test) const {
    const auto& [program, word] = test.param;
    return program.test_name() + "_" + word;
  }
};

}  // namespace mapscope::test
