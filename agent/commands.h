// SPDX-License-Identifier: Apache-2.0
// agent/commands.h – from the command line to an exit status: 0 done, 1 it could not be done, 2
// wrong usage.
#pragma once

namespace mapscope {

// Errors are told on standard error, in one line.
int run_command(int argc, char** argv);

}  // namespace mapscope
