// SPDX-License-Identifier: Apache-2.0
#include "agent/loss_log.h"

#include <array>
#include <string>

#include "agent/base/log.h"

namespace mapscope {
namespace {

// What has words of its own elsewhere, or is an everyday event of a program that is met in the
// middle of its work, is not here.
struct Loss {
  std::string_view reasons;  // what they begin with
  std::string_view words;
};
constexpr std::array<Loss, 6> kLosses = {{
    {"ring_full_", "the ring between kernel and agent is full; a larger --ring-kib holds more"},
    {"queue_full_", "records come faster than they can be handled"},
    {"open_table_full", "more resizes are under way at once than can be followed: some are lost"},
    {"thread_table_full",
     "more threads resize maps than can be followed: where some of them were meanwhile is unknown"},
    {"wait_table_full",
     "more threads sleep on locks than can be followed: some that queued behind a resize are not "
     "counted"},
    {"type_table_full",
     "more map types are inserted into than can be told apart: some inserts are counted without "
     "type and time"},
}};

}  // namespace

void LossLog::look(const std::vector<SelfStats::Count>& lost) {
  for (const SelfStats::Count& count : lost) {
    if (count.count == 0) continue;
    for (const Loss& loss : kLosses) {
      if (!count.name.starts_with(loss.reasons) || !said_.insert(loss.reasons).second) continue;
      log_warn("{}; from now on mapscope_records_lost_total counts them ({}: {})", loss.words,
               count.name, count.count);
    }
  }
}

}  // namespace mapscope
