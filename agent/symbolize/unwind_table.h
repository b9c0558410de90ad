// SPDX-License-Identifier: Apache-2.0
// agent/symbolize/unwind_table.h – keeps libdw away from an .eh_frame that would do it harm.
//
// libdw keeps an array of as many rules as the highest register number that a table names, a copy
// of it for each state that is remembered, and looks entries up where .eh_frame_hdr says. A table
// that names no more registers and states than a compiler does, and whose entries are where they
// should be, stays; any other is hidden, and so is one that no section header tells the size of.
// The stack is then followed by frame pointers.
//
// Takes some 3 ms for each megabyte of the table.   Threads: one at a time.
#pragma once

struct Elf;

namespace mapscope {

// Once, before libdw sees the file.
void guard_unwind_table(Elf* elf);

}  // namespace mapscope
