// SPDX-License-Identifier: Apache-2.0
#include "agent/model/site_table.h"

#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>

#include "agent/runtimes/runtime.h"

namespace mapscope {
namespace {

size_t mix(size_t hash, size_t value) { return (hash ^ value) * 0x9e3779b97f4a7c15U; }

std::string_view name_of(const Runtime* runtime) {
  return runtime == nullptr ? std::string_view() : runtime->name;
}

constexpr uint64_t kMaxSlots = uint64_t{1} << 48;

// A map that was made with tables of less than the full size grows table by table, too.
uint64_t tables_growing(const Resize& growth) {
  return growth.level ? 1 : std::clamp<uint64_t>(growth.old_directory.value_or(1), 1, kMaxSlots);
}

// Of the whole map before a growth that is the first one seen of it.
uint64_t slots_before(const Resize& growth) {
  const uint64_t slots = std::min(*growth.old_slots, kMaxSlots);
  const uint32_t level = growth.level.value_or(0);
  if (!growth.level)
    return std::min(slots, kMaxSlots / tables_growing(growth)) * tables_growing(growth);
  return level >= 48 ? kMaxSlots : std::min(slots << level, kMaxSlots);
}

// A map of a goroutine's stack has another address when that has grown.
bool is_on_stack(const Resize& resize) {
  return resize.goroutine && resize.map_addr >= resize.goroutine->stack_lo &&
         resize.map_addr < resize.goroutine->stack_hi;
}

// What runs init functions is among the outermost frames.
constexpr size_t kOutermost = 6;

bool is_at_init(const Resize& resize) {
  if (resize.runtime == nullptr || resize.runtime->origin == nullptr || resize.stack == nullptr)
    return false;
  const std::vector<Frame>& frames = resize.stack->frames;
  const auto at_init = [&](const Frame& frame) {
    return resize.runtime->origin(frame.function).at_init;
  };
  const Frame* site = resize.stack->site_frame();
  const auto outermost = static_cast<ptrdiff_t>(std::min(frames.size(), kOutermost));
  return (site != nullptr && at_init(*site)) ||
         std::any_of(frames.end() - outermost, frames.end(), at_init);
}

}  // namespace

void Restructurings::add(const Resize& resize) {
  if (resize.kind == "promotion") ++promotions;
  if (resize.kind == "rebuild") ++rebuilds;
  if (resize.kind == "expansion") ++expansions;
  misses += resize.misses.value_or(0);
}

SiteTable::KeyView::KeyView(const Key& key)
    : exe(key.exe),
      function(key.function),
      file(key.file),
      map_type(key.map_type),
      line(key.line),
      address(key.address) {}

size_t SiteTable::Hash::operator()(const KeyView& key) const {
  const std::hash<std::string_view> text;
  size_t hash = mix(text(key.exe), text(key.function));
  hash = mix(mix(hash, text(key.file)), text(key.map_type));
  return mix(hash, key.line + key.address);
}

SiteTable::SiteTable(size_t max_sites) : max_sites_(max_sites), chains_(kChains) {}

SiteTable::KeyView SiteTable::key_of(const Resize& resize) {
  KeyView key;
  key.exe = resize.target->exe;
  key.map_type = resize.map_type;
  const Frame* frame = resize.stack == nullptr ? nullptr : resize.stack->site_frame();
  if (resize.stack == nullptr) key.address = resize.site_address();
  if (frame == nullptr) return key;
  key.function = frame->function;
  key.file = frame->file;
  key.line = frame->line;
  key.address = frame->function.empty() ? frame->address : 0;
  return key;
}

SiteTable::Site& SiteTable::site_of(const Resize& resize) {
  const KeyView key = key_of(resize);
  if (const auto found = sites_.find(key); found != sites_.end()) return found->second;
  if (sites_.size() >= max_sites_) {
    if (!other_site_.totals.other) other_site_.totals.function = "other";
    other_site_.totals.other = true;
    return other_site_;
  }
  Key owned{std::string(key.exe),
            std::string(key.function),
            std::string(key.file),
            std::string(key.map_type),
            key.line,
            key.address};
  Site& created = sites_[std::move(owned)];
  SiteTotals& site = created.totals;
  site.process = resize.target->comm;
  site.exe = key.exe;
  site.runtime = name_of(resize.runtime);
  site.room = resize.runtime;
  site.map_type = key.map_type;
  site.function = key.function;
  site.file = key.file;
  site.line = key.line;
  site.address = key.address;
  if (resize.runtime != nullptr && resize.runtime->origin != nullptr)
    site.origin = resize.runtime->origin(key.function);
  site.origin.at_init = true;  // until it is seen to grow otherwise
  return created;
}

void SiteTable::add_own(const Resize& resize, SiteTotals& site) {
  const Frame* own = resize.own_frame();
  if (own == nullptr || site.own_differs || site.other) return;
  if (site.own_function.empty()) {
    site.own_function = own->function.view();
    site.own_file = own->file.view();
    site.own_line = own->line;
  } else if (own->function != site.own_function || own->line != site.own_line) {
    site.own_differs = true;
    site.own_function.clear();
    site.own_file.clear();
    site.own_line = 0;
  }
}

TargetTotals& SiteTable::target_of(const Target& target) {
  if (const auto found = targets_.find(target.id); found != targets_.end()) return found->second;
  if (targets_.size() >= max_sites_) {
    if (!other_target_.other) other_target_.comm = "other";
    other_target_.other = true;
    return other_target_;
  }
  TargetTotals& totals = targets_[target.id];
  totals.pid = target.pid;
  totals.comm = target.comm;
  totals.exe = target.exe;
  totals.runtime = name_of(target.runtime);
  return totals;
}

void SiteTable::add(const Resize& resize) {
  const uint64_t wall_ns = resize.wall_ns.value_or(0);
  const uint64_t stall_ns = resize.stall_ns.value_or(0);
  const uint64_t cost_ns = resize.stall_ns.value_or(wall_ns);
  const Blocked blocked = resize.blocked.value_or(Blocked{});
  const std::lock_guard lock(mutex_);
  TargetTotals& target = target_of(*resize.target);
  Site& where = site_of(resize);
  SiteTotals& site = where.totals;
  add_own(resize, site);
  if (is_restructuring(resize.kind)) {
    target.restructurings.add(resize);
    site.restructurings.add(resize);
    return;
  }
  ++target.resizes;
  target.stall_ns += stall_ns;
  target.wall_ns += wall_ns;
  target.blocked_ns += blocked.ns;
  ++site.resizes;
  site.stall_ns += stall_ns;
  site.wall_ns += wall_ns;
  site.cost_ns += cost_ns;
  if (resize.wall_ns && !resize.stall_ns) ++site.untimed;
  site.blocked_ns += blocked.ns;
  site.blocked_threads += blocked.threads;
  site.max_new_slots = std::max(site.max_new_slots, resize.new_slots.value_or(0));
  site.origin.at_init = site.origin.at_init && is_at_init(resize);
  if (resize.old_slots && resize.new_slots && *resize.new_slots > *resize.old_slots) {
    add_growth(resize, where);
  }
}

bool SiteTable::continues(const Chain& chain, const Resize& growth) {
  if (const uint64_t growing = tables_growing(growth); growing > 1) {
    const uint64_t of_each = chain.slots / growing;
    return of_each >= *growth.old_slots && of_each < *growth.new_slots;
  }
  if (!growth.level) return chain.slots == *growth.old_slots;
  const uint64_t tables = chain.slots / std::max<uint64_t>(*growth.old_slots, 1);
  if (*growth.level == 0) return tables == 1;
  return tables > *growth.level && tables <= growth.old_directory.value_or(tables) &&
         growth.entries.value_or(0) <= chain.slots;
}

uint8_t SiteTable::size_before(const Resize& growth, uint8_t size, const Chain& chain,
                               bool continued, const Site& site) {
  if (continued) return chain.site == &site ? chain.size : 0;
  const bool forgotten = chain.slots != 0 && chain.map_addr != growth.map_addr;
  if (!forgotten && !is_on_stack(growth)) return 0;
  // One table of many: the map has come to this size with the first of them.
  const bool is_first = growth.old_directory.value_or(0) <= 1 ||
                        growth.new_directory.value_or(0) > *growth.old_directory;
  if (!is_first && site.sizes.has_map_from(size)) return size;
  return site.sizes.has_map(size - 1) ? size - 1 : 0;
}

void SiteTable::add_growth(const Resize& resize, Site& site) {
  SiteTotals& totals = site.totals;
  ++totals.growths;
  if (resize.entries) totals.max_entries = std::max(totals.max_entries, *resize.entries + 1);
  uint64_t slots = slots_before(resize);
  const uint64_t added = std::min(*resize.new_slots - *resize.old_slots, kMaxSlots);
  // Maps are at least 8-byte aligned, so the low bits say nothing; the multiplication moves
  // what the others say to the top.
  const size_t hash = mix(resize.map_addr >> 3U, resize.target->id);
  Chain& chain = chains_[(hash >> 40U) & (kChains - 1)];
  const bool same_map =
      chain.slots != 0 && chain.map_addr == resize.map_addr && chain.target == resize.target->id;
  const bool continued = resize.map_addr != 0 && same_map && continues(chain, resize);
  if (continued) slots = chain.slots;
  slots = std::min(slots + added, kMaxSlots);
  totals.max_new_slots = std::max(totals.max_new_slots, slots);
  uint8_t size = 0;
  if (resize.reserve && resize.reserve->slots != 0 && !totals.other) {
    size = site.sizes.add({*resize.reserve, *resize.old_slots, resize.stall_ns.value_or(0),
                           resize.old_bytes.value_or(0)});
    const uint8_t before = size_before(resize, size, chain, continued, site);
    if (before == 0) {
      site.sizes.arrives(size);
    } else {
      site.sizes.moves(before, size);
      size = std::max(size, before);
    }
  }
  if (resize.map_addr == 0) return;
  if (chain.slots != 0 && !same_map) ++chains_evicted_;
  chain = {resize.map_addr, slots, &site, resize.target->id, size};
}

void SiteTable::add(const Fatal& fatal) {
  const std::lock_guard lock(mutex_);
  ++target_of(*fatal.target).fatals;
}

void SiteTable::add(const Race& race) {
  const std::lock_guard lock(mutex_);
  ++target_of(*race.target).races;
}

SiteTotals SiteTable::totals_of(const Site& site) {
  SiteTotals totals = site.totals;
  totals.maps = site.sizes.maps();
  totals.origin.at_init = totals.origin.at_init && totals.growths != 0;
  totals.advice = site.sizes.advice();
  if (totals.advice) totals.savings = totals.advice->savings;
  return totals;
}

std::vector<SiteTotals> SiteTable::sites() const {
  std::vector<SiteTotals> all;
  {
    const std::lock_guard lock(mutex_);
    all.reserve(sites_.size() + 1);
    for (const auto& [key, site] : sites_) all.push_back(totals_of(site));
    if (other_site_.totals.other) all.push_back(totals_of(other_site_));
  }
  std::sort(all.begin(), all.end(), [](const SiteTotals& a, const SiteTotals& b) {
    if (a.stall_ns != b.stall_ns) return a.stall_ns > b.stall_ns;
    if (a.cost_ns != b.cost_ns) return a.cost_ns > b.cost_ns;
    return std::tie(a.exe, a.function, a.line, a.address, a.map_type) <
           std::tie(b.exe, b.function, b.line, b.address, b.map_type);
  });
  return all;
}

std::vector<TargetTotals> SiteTable::targets() const {
  std::vector<TargetTotals> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, totals] : targets_) all.push_back(totals);
    if (other_target_.other) all.push_back(other_target_);
  }
  std::sort(all.begin(), all.end(),
            [](const TargetTotals& a, const TargetTotals& b) { return a.pid < b.pid; });
  return all;
}

uint64_t SiteTable::chains_evicted() const {
  const std::lock_guard lock(mutex_);
  return chains_evicted_;
}

}  // namespace mapscope
