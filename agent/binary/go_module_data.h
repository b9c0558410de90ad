// SPDX-License-Identifier: Apache-2.0
// agent/binary/go_module_data.h – finds the runtime's own description of a program: where its
// code, its types and its function tables are.
//
// In:      no symbols are needed; sections are used where they have the right names, otherwise the
//          file is searched.
// How:     the description holds the address of the function table, of the names in it and of the
//          first and last function; a place where all of them agree is taken for it.
// Source:  runtime/symtab.go moduledata of go1.15, 1.16, 1.18, 1.20, 1.26 and 1.27.
#pragma once

#include <cstdint>

#include "agent/base/result.h"
#include "agent/binary/elf_image.h"
#include "agent/binary/go_pclntab.h"
#include "agent/binary/go_program.h"
#include "agent/binary/image_bytes.h"

namespace mapscope {

struct GoModuleData {
  uint64_t text = 0;  // [text, text_end): the code of Go
  uint64_t text_end = 0;
  uint64_t types = 0;  // [types, types_end): type descriptors and their names
  uint64_t types_end = 0;
  uint64_t function_data = 0;  // what funcdata is relative to; 0 before 1.18
};

struct GoModule {
  GoPclntab table;  // with its text set
  GoModuleData data;
};

// Errors: kUnsupported (tables of an unknown kind, code in several sections), kCorrupt (no place
// where the tables agree); the text names the version.
Result<GoModule> find_go_module(const ElfImage& image, const ImageBytes& bytes,
                                const GoBuild& build);

}  // namespace mapscope
