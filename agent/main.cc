// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>

#include "agent/commands.h"

int main(int argc, char** argv) {
  try {
    return mapscope::run_command(argc, argv);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "agent: %s\n", failure.what());
    return 1;
  }
}
