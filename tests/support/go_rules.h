// SPDX-License-Identifier: Apache-2.0
// tests/support/go_rules.h – what every resize of a Go program must be like, whatever the program
// does: for programs that do not tell their truth.
//
// Source: golang/go src/runtime/map.go at go1.16.3 to go1.20.7 (overLoadFactor, hashGrow),
// src/internal/runtime/maps at go1.26.5 (growToTable, rehash, split).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace mapscope::test {

// "" when the resize event is complete (type, goroutine, call site outside the runtime with file
// and line, times that add up) and what its map's implementation does: a classic map doubles at
// exactly 6.5 entries a bucket or stays as large, a table doubles at 7/8 or splits at 1024 slots, a
// directory doubles when the table that splits is as deep. Else the first fault and the event.
std::string broken_rule(const nlohmann::json& resize);

// "" when no map, on the heap, begins to grow before its last growth has ended. Else the first two
// that overlap.
std::string broken_order(std::vector<nlohmann::json> resizes);

}  // namespace mapscope::test
