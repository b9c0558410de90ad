// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/go_source.h – what the name of a Go function says of the source it stands in, and
// how a type is written there.
//
// Names are those of the runtime's tables: "github.com/x/store.(*Cache[go.shape.int]).Put.func1",
// a dot in the last element of a path being %2e. Types are those of its type descriptors: named
// ones have the name of their package in front, in brackets of type parameters its whole path.
// Pure.
#pragma once

#include <string>
#include <string_view>

#include "agent/runtimes/runtime.h"

namespace mapscope {

// "github.com/x/store"; "" when the name has none.
std::string_view go_package_of(std::string_view function);

// The name that code of the package calls it by: the last element of its path, without what is its
// version ("store/v2", "yaml%2ev3"). A package may be named otherwise, which no table says.
std::string_view go_package_name(std::string_view package);

// A type as code of this package writes it: "map[string]*Session" in main for
// "map[string]*main.Session". With "" or a package of another name all types stay qualified.
std::string go_type_in_source(std::string_view type, std::string_view package);

// Runtime::origin and Runtime::reserve_advice of Go's maps.
CodeOrigin go_origin(std::string_view function);
std::string go_make_advice(std::string_view map_type, uint64_t entries, std::string_view function);

}  // namespace mapscope
