// SPDX-License-Identifier: Apache-2.0
// agent/binary/go_runtime_version.h – the version of a Go program whose build info was removed.
//
// runtime.schedinit looks at the runtime's variable with the version, so that every program keeps
// it; its code says where the variable is.
// Source: runtime/proc.go schedinit() of go1.15 to go1.27.
#pragma once

#include <cstdint>
#include <string>

#include "agent/binary/elf_image.h"
#include "agent/binary/image_bytes.h"

namespace mapscope {

// `vaddr`, `size`: of runtime.schedinit. "go1.26.5"; "" when nothing there is a version.
std::string read_runtime_version(const ElfImage& image, const ImageBytes& bytes, uint64_t vaddr,
                                 uint64_t size);

}  // namespace mapscope
