// SPDX-License-Identifier: Apache-2.0
// Go's tables: build info, pclntab, module data, types. Every question that a program can be asked.
#include "tests/fuzz/support/fuzz_target.h"
#include "tests/support/go_image.h"
#include "tests/support/go_lookups.h"
#include "tests/support/relocated_image.h"

namespace mapscope::test {

// One small program of each table format, and halves of them.
Seeds make_seeds() {
  Seeds seeds;
  for (const auto& [format, version] : kGoFormats) {
    const Bytes whole = make_go_image(format, version).bytes;
    const auto half = whole.begin() + static_cast<ptrdiff_t>(whole.size() / 2);
    seeds[version] = whole;
    seeds[std::string(version) + ".relocated"] = relocate(make_go_image(format, version)).bytes;
    seeds[std::string(version) + ".half"] = {whole.begin(), half};
  }
  return seeds;
}

void feed(Input input) { ask_everything(input); }

}  // namespace mapscope::test
