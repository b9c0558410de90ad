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

template <typename Totals>
std::vector<Totals> copy_values(const auto& map, const Totals& other) {
  std::vector<Totals> all;
  all.reserve(map.size() + 1);
  for (const auto& [key, totals] : map) all.push_back(totals);
  if (other.other) all.push_back(other);
  return all;
}

constexpr uint64_t kMaxSlots = uint64_t{1} << 48;

// Of the whole map before a growth that is the first one seen of it.
uint64_t slots_before(const Resize& growth) {
  const uint64_t slots = std::min(*growth.old_slots, kMaxSlots);
  const uint32_t level = growth.level.value_or(0);
  return level >= 48 ? kMaxSlots : std::min(slots << level, kMaxSlots);
}

// Of the tables that it replaced; `before` are those of the map's growth before.
uint64_t garbage_bytes(const Resize& growth, uint64_t before) {
  return growth.level ? growth.new_bytes.value_or(0) / 2 : before;
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

SiteTotals& SiteTable::site_of(const Resize& resize) {
  const KeyView key = key_of(resize);
  if (const auto found = sites_.find(key); found != sites_.end()) return found->second;
  if (sites_.size() >= max_sites_) {
    if (!other_site_.other) other_site_.function = "other";
    other_site_.other = true;
    return other_site_;
  }
  Key owned{std::string(key.exe),
            std::string(key.function),
            std::string(key.file),
            std::string(key.map_type),
            key.line,
            key.address};
  SiteTotals& site = sites_[std::move(owned)];
  site.process = resize.target->comm;
  site.exe = key.exe;
  site.runtime = name_of(resize.runtime);
  site.room = resize.runtime;
  site.map_type = key.map_type;
  site.function = key.function;
  site.file = key.file;
  site.line = key.line;
  site.address = key.address;
  return site;
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
  SiteTotals& site = site_of(resize);
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
  site.blocked_ns += blocked.ns;
  site.blocked_threads += blocked.threads;
  site.max_new_slots = std::max(site.max_new_slots, resize.new_slots.value_or(0));
  if (resize.old_slots && resize.new_slots && *resize.new_slots > *resize.old_slots) {
    add_growth(resize, cost_ns, site);
  }
}

bool SiteTable::continues(const Chain& chain, const Resize& growth) {
  if (!growth.level) return chain.slots == *growth.old_slots;
  const uint64_t tables = chain.slots / std::max<uint64_t>(*growth.old_slots, 1);
  if (*growth.level == 0) return tables == 1;
  return tables > *growth.level && tables <= growth.old_directory.value_or(tables) &&
         growth.entries.value_or(0) <= chain.slots;
}

void SiteTable::add_growth(const Resize& resize, uint64_t cost_ns, SiteTotals& site) {
  ++site.growths;
  if (resize.entries) site.max_entries = std::max(site.max_entries, *resize.entries + 1);
  site.reserve = std::max({site.reserve, site.max_entries, resize.reserve.value_or(0)});
  uint64_t slots = slots_before(resize);
  const uint64_t added = std::min(*resize.new_slots - *resize.old_slots, kMaxSlots);
  if (resize.map_addr == 0) {
    site.max_new_slots = std::max(site.max_new_slots, slots + added);
    return;
  }
  // Maps are at least 8-byte aligned, so the low bits say nothing; the multiplication moves
  // what the others say to the top.
  const size_t hash = mix(resize.map_addr >> 3U, resize.target->id);
  Chain& chain = chains_[(hash >> 40U) & (kChains - 1)];
  const bool same_map =
      chain.slots != 0 && chain.map_addr == resize.map_addr && chain.target == resize.target->id;
  if (chain.slots != 0 && !same_map) ++chains_evicted_;
  if (same_map && continues(chain, resize)) {
    ++site.savings.growths;
    site.savings.time_ns += cost_ns;
    site.savings.bytes += garbage_bytes(resize, chain.bytes);
    slots = chain.slots;
  } else {
    ++site.maps;
  }
  slots = std::min(slots + added, kMaxSlots);
  site.max_new_slots = std::max(site.max_new_slots, slots);
  chain = {resize.map_addr, slots, resize.new_bytes.value_or(0), resize.target->id};
}

void SiteTable::add(const Fatal& fatal) {
  const std::lock_guard lock(mutex_);
  ++target_of(*fatal.target).fatals;
}

void SiteTable::add(const Race& race) {
  const std::lock_guard lock(mutex_);
  ++target_of(*race.target).races;
}

std::vector<SiteTotals> SiteTable::sites() const {
  std::vector<SiteTotals> all;
  {
    const std::lock_guard lock(mutex_);
    all = copy_values(sites_, other_site_);
  }
  std::sort(all.begin(), all.end(), [](const SiteTotals& a, const SiteTotals& b) {
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
    all = copy_values(targets_, other_target_);
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
