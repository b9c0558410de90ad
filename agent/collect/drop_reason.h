// SPDX-License-Identifier: Apache-2.0
// agent/collect/drop_reason.h – the words for what was lost, as in
// mapscope_records_lost_total{reason}. The only list.
#pragma once

#include <array>
#include <string_view>

#include "bpf/wire.h"

namespace mapscope {

// Indexed by ms_drop.
inline constexpr std::array<std::string_view, MS_DROPS> kDropReasons = {
    "ring_full_resize",  "ring_full_stack",    "ring_full_fatal", "ring_full_race",
    "ring_full_process", "open_table_full",    "superseded",      "end_unmatched",
    "field_unreadable",  "thread_table_full",  "wait_table_full", "stack_rate_limited",
    "stack_unreadable",  "descriptor_missing", "type_table_full",
};
static_assert(!kDropReasons.back().empty());

}  // namespace mapscope
