// SPDX-License-Identifier: Apache-2.0
// agent/export/units.h – numbers for people. At most 7 characters for durations and 6 for sizes.
#pragma once

#include <cstdint>
#include <string>

namespace mapscope {

// "0 ns", "850 ns", "1.23 ms", "12.3 µs", "123 s", "12.3 h": three digits; hours are the largest
// unit.
std::string human_duration(uint64_t ns);

// "512", "512 Ki", "1.75 Mi": powers of 1024, three or four digits.
std::string human_count(uint64_t count);

// "512 B", "24.0 MiB".
std::string human_bytes(uint64_t bytes);

// "1,234,567".
std::string grouped(uint64_t count);

}  // namespace mapscope
