// SPDX-License-Identifier: Apache-2.0
// target – puts load on an instrumented hash map and tells the truth about its growth. See target
// --help.
#include "target/load/modes.h"
#include "target/load/options.h"

int main(int argc, char** argv) {
  mapscope::LoadOptions options;
  if (const auto exit_code = mapscope::parse_options(argc, argv, options)) return *exit_code;
  if (options.compare) return mapscope::compare(options);
  if (options.repeat != 0) return mapscope::repeat(options);
  return mapscope::run_once(options);
}
