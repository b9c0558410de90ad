// SPDX-License-Identifier: Apache-2.0
#include "agent/export/advice_text.h"

#include <fmt/format.h>

#include "agent/export/text.h"
#include "agent/export/units.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {
namespace {

// Beyond it a type cannot be pasted, and nobody would.
constexpr size_t kMaxTypeWidth = 200;

std::string plural(uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", grouped(count), noun, count == 1 ? "" : "s");
}

std::string where_text(const SiteTotals& site) {
  if (site.origin.standard_library) {
    return site.own_function.empty() ? "in the standard library, no line of yours: "
                                     : "in the standard library: ";
  }
  return site.origin.at_init ? "at init, once: " : "";
}

std::string make_text(const SiteTotals& site, uint64_t entries) {
  if (site.room == nullptr || site.room->reserve_advice == nullptr)
    return fmt::format("reserving {} {}", grouped(entries), entries == 1 ? "entry" : "entries");
  const std::string type = shorten_middle(printable(site.map_type), kMaxTypeWidth);
  return site.room->reserve_advice(type, entries, printable(site.function));
}

std::string savings_text(const Savings& saved) {
  std::string text = fmt::format("saves {}", plural(saved.growths, "growth"));
  if (saved.time_ns != 0) text += fmt::format(", up to {}", human_duration(saved.time_ns));
  if (saved.bytes != 0) text += fmt::format(", {} of garbage", human_bytes(saved.bytes));
  return text;
}

std::string sizes_text(const Advice& advice) {
  if (advice.beyond == 0)
    return advice.maps > 1 ? fmt::format("; enough for all {} maps", grouped(advice.maps)) : "";
  return fmt::format("; enough for {} of {} maps, the largest needs {}",
                     grouped(advice.maps - advice.beyond), grouped(advice.maps),
                     grouped(advice.largest.hint));
}

std::string memory_text(const Advice& advice) {
  if (advice.smaller == 0 || advice.added_bytes == 0) return {};
  std::string text = fmt::format("; adds {} to {}", human_bytes(advice.added_bytes),
                                 plural(advice.smaller, "smaller map"));
  if (advice.smaller > 1)
    text += fmt::format(", {} each", human_bytes(advice.added_bytes / advice.smaller));
  return text;
}

}  // namespace

std::string advice(const SiteTotals& site) {
  if (!site.advice) return {};
  const Advice& given = *site.advice;
  std::string text = where_text(site) + make_text(site, given.reserve.hint) +
                     fmt::format(" where it is made, at least {}", grouped(given.reserve.hint));
  if (given.reserve.holds != 0)
    text += fmt::format(" (the table then holds {})", grouped(given.reserve.holds));
  return text + ": " + savings_text(given.savings) + sizes_text(given) + memory_text(given);
}

}  // namespace mapscope
