// SPDX-License-Identifier: Apache-2.0
// Names that programs chose: demangled, shortened, and made safe for wherever they are shown.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/export/text.h"
#include "agent/symbolize/demangle.h"
#include "tests/fuzz/support/fuzz_target.h"

namespace mapscope::test {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }

void show(std::string_view name) {
  std::string json = "\"";
  append_json_escaped(json, name);
  json += '"';
  require(nlohmann::json::accept(json));
  std::string html;
  append_html_escaped(html, name);
  require(html.find_first_of("<>\"'") == std::string::npos);
  std::string label;
  assign_label(label, name);
  require(label.size() <= kMaxLabelBytes);
  std::string again;
  assign_label(again, label);
  require(again == label);
  const std::string printed = printable(name);
  require(std::ranges::none_of(printed, is_control));
  require(character_count(shorten_middle(printed, 24)) <= 24);
}

}  // namespace

Seeds make_seeds() {
  Seeds seeds;
  for (const char* name :
       {"_ZN5Store3putEiRKSs", "_ZN1n1fIiEEbT_", "_ZNSt6vectorIiSaIiEE12emplace_backIJiEEERiDpOT_",
        "_ZN12_GLOBAL__N_11fIiEEvT_", "_ZZ4mainENKUlvE_clEv", "_ZN1AcvbEv", "_Znwm", "_Z1fPFivE",
        "main.(*Store[go.shape.string]).Put", "ns::Map<std::string, int>::operator()(int) const",
        "_ZNKSt8functionIFvRKSt6vectorISsSaISsEEEEclES4_", "_Z3fooILi2EEvRAplT_Li1E_i",
        "na\xc3\xafve \xe2\x80\xae \xed\xa0\x80 \xf0\x9f\x98\x80 \x1b[0m\\<&\"'>"})
    seeds["name" + std::to_string(seeds.size())] = bytes_of(name);
  return seeds;
}

void feed(Input input) {
  const std::string symbol(text_of(input));
  const std::string name = demangle(symbol.c_str());
  require(name.size() <= 4096);
  require(readable_function(name).size() <= name.size());
  show(symbol);
  show(name);
}

}  // namespace mapscope::test
