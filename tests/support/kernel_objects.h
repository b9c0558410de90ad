// SPDX-License-Identifier: Apache-2.0
// tests/support/kernel_objects.h – the BPF programs, maps and links that a process holds, and
// whether the kernel still has them. Needs privilege.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>

namespace mapscope::test {

// By the numbers that the kernel gives them; none is used twice until the machine restarts.
struct KernelObjects {
  std::set<uint32_t> programs;
  std::set<uint32_t> maps;
  std::set<uint32_t> links;
};

// What the process holds by file descriptors.
KernelObjects kernel_objects_of(pid_t pid);
// How many of them exist.
size_t count_existing(const KernelObjects& objects);

}  // namespace mapscope::test
