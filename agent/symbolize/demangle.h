// SPDX-License-Identifier: Apache-2.0
// agent/symbolize/demangle.h – C++ symbol names as people read them.
//
// Names come from files of the target: they are bounded here, not escaped. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace mapscope {

// What stands in Frame::function: the complete demangled name with template and function arguments,
// without the return type that only templates have ("void f<int>(int)" becomes "f<int>(int)"), so
// that a name starts with its scope. A name that is not mangled, or does not demangle, is returned
// as it is. At most 4,096 bytes, cut with "…".
std::string demangle(const char* symbol);

// For a table's column: without function arguments, and with template arguments of more than 40
// bytes as <…>. "ns::Map<std::string, …>::insert(int) const" becomes "ns::Map<…>::insert".
std::string readable_function(std::string_view function);

}  // namespace mapscope
