// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/go_version.h – what the rooms of Go's maps share: the versions that were checked,
// and which code is the runtime's own.
//
// Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "agent/base/result.h"
#include "agent/binary/go_program.h"
#include "agent/binary/program.h"

namespace mapscope {

constexpr GoVersion kFirstCheckedGo{1, 15, 0};
constexpr GoVersion kFirstUncheckedGo{1, 28, 0};
// Arguments are in registers from here on. Source: go.dev/doc/go1.17 (Compiler).
constexpr GoVersion kGoRegisterArguments{1, 17, 0};

// False: it is newer than what was checked, and has to prove that its maps are the known ones.
// Errors: kUnsupported with one line that says why: the version is not readable, or before those.
// REQUIRES: program.go.
Result<bool> is_checked_go(const Program& program);
// Why a newer one is refused where nothing is proved. REQUIRES: program.go.
Error unchecked_go(const Program& program);

// True for the functions of the runtime and of the packages through which a map of others is
// reached, none of which is a call site.
bool is_go_map_code(std::string_view function, std::string_view map_type);

// Whether the message of a dying program is about a map that was used by two goroutines at once.
bool is_go_map_fatal(std::string_view message);

}  // namespace mapscope
