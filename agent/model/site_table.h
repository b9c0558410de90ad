// SPDX-License-Identifier: Apache-2.0
// agent/model/site_table.h – what resizing cost per line of code and per target, and what
// pre-sizing would have saved.
//
// A site is the first frame outside the map's own code and the type of the map: (exe, function,
// file, line, map_type). Where that frame has no name it is (exe, address, map_type); where it is
// not known at all (exe, map_type).
//
// Advice is computed of the sizes that the maps of a site reached (agent/model/advice.h). A growth
// counts at the line where it happened: maps that grow at several lines count at each, up to the
// size that they had when they left it, and made for the largest of these they are spared them all.
//
// Which growths are those of one map: a chain. Each begins with the slots that the one before ended
// with, at the same address. A growth with a level is the split of one table of a map of many, from
// old_slots to new_slots; the map has grown by the difference. So a chain's slots are a running sum
// over the whole map. It begins with the slots of the first growth seen, or, when that is a split
// of level d, with 2^d tables: exact for a map that was made with a directory and for one whose
// tables split evenly. A split continues a chain when there can have been a table of that level:
// the sum has at least d + 1 tables (exactly 1 for d = 0), no more than the directory listed, and
// slots for the entries.
// A map whose chain was forgotten (kChains recent ones are kept; `chains_evicted` counts), or which
// may have moved with the stack that it is on, is taken for one of those that stayed at the size
// that it grows from, if there is one.
// What makes savings an under-estimate: growths before the agent came, growths of unknown slots, a
// growth whose record was lost. What can make the number of maps wrong: a map freed and another,
// exactly as large as the old one had become, created at the same address: they count as one.
// Only growths enter: a same_size, prune or clear is not avoided by reserving. Promotions, rebuilds
// and expansions are no resizes and are counted apart.
//
// Bounds: at most `max_sites` sites, of at most 64 sizes each, after which resizes of new sites are
// added up in one site whose function is "other"; the same for targets. Memory is constant once
// these are reached. Threads: all members may be called from any thread. add() takes one lock and
// allocates only for a new site, size or target.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/model/advice.h"
#include "agent/model/resize.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {

// What maps that are no tables did; it has no known time, and reserving does not avoid it.
struct Restructurings {
  uint64_t promotions = 0;
  uint64_t rebuilds = 0;
  uint64_t expansions = 0;
  uint64_t misses = 0;  // look-ups that led to the promotions

  void add(const Resize& resize);  // REQUIRES: is_restructuring(resize.kind)
  [[nodiscard]] uint64_t all() const { return promotions + rebuilds + expansions; }
};

struct SiteTotals {
  std::string process;  // comm of the first target seen at it
  std::string exe;
  std::string runtime;
  const Runtime* room = nullptr;  // of that name; nullptr unknown, and for "other"
  std::string map_type;           // "" unknown
  std::string function;           // "" unknown
  std::string file;               // "" unknown
  uint32_t line = 0;              // 0 unknown
  uint64_t address = 0;           // only where function is unknown
  // The nearest frame of the program's own module that led to a site outside of it: the same for
  // all resizes of which it is known; "" unknown, or there are several.
  std::string own_function;
  std::string own_file;
  uint32_t own_line = 0;
  bool own_differs = false;
  bool other = false;    // the site of everything that had no room
  uint64_t resizes = 0;  // of every kind
  uint64_t growths = 0;  // those that added slots
  uint64_t maps = 0;     // that grew here
  uint64_t stall_ns = 0;
  uint64_t wall_ns = 0;
  uint64_t untimed = 0;  // resizes whose stall is not known; stall_ns is without them
  uint64_t blocked_ns = 0;
  uint64_t blocked_threads = 0;
  uint64_t max_new_slots = 0;  // of a whole map; 0 unknown
  uint64_t max_entries = 0;    // most entries a growth had to make room for; 0 unknown
  CodeOrigin origin;           // at_init: of every growth so far
  std::optional<Advice> advice;
  Savings savings;       // of the advice
  uint64_t cost_ns = 0;  // what was paid: stall where it was probed, else wall
  Restructurings restructurings;
};

struct TargetTotals {
  int pid = 0;
  std::string comm;
  std::string exe;
  std::string runtime;
  bool other = false;
  uint64_t resizes = 0;
  uint64_t fatals = 0;
  uint64_t races = 0;
  uint64_t stall_ns = 0;
  uint64_t wall_ns = 0;
  uint64_t blocked_ns = 0;
  Restructurings restructurings;
};

class SiteTable {
 public:
  explicit SiteTable(size_t max_sites = 4096);

  // REQUIRES: resize.target is not nullptr; likewise for fatals and races.
  void add(const Resize& resize);
  void add(const Fatal& fatal);
  void add(const Race& race);

  [[nodiscard]] std::vector<SiteTotals> sites() const;      // dearest first
  [[nodiscard]] std::vector<TargetTotals> targets() const;  // by pid
  [[nodiscard]] uint64_t chains_evicted() const;

 private:
  struct Key {
    std::string exe, function, file, map_type;
    uint32_t line = 0;
    uint64_t address = 0;
  };
  struct KeyView {
    std::string_view exe, function, file, map_type;
    uint32_t line = 0;
    uint64_t address = 0;
    KeyView() = default;
    KeyView(const Key& key);  // NOLINT(google-explicit-constructor): for heterogeneous look-up
    friend bool operator==(const KeyView&, const KeyView&) = default;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(const KeyView& key) const;
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const KeyView& a, const KeyView& b) const { return a == b; }
  };
  struct Site {
    SiteTotals totals;  // without the advice
    SizeHistogram sizes;
  };
  struct Chain {
    uint64_t map_addr = 0;
    uint64_t slots = 0;          // of the whole map after its last growth; 0: no chain here
    const Site* site = nullptr;  // of that growth; sites are never forgotten
    uint32_t target = 0;
    uint8_t size = 0;  // the largest number that a growth of it has had at the site
  };
  static constexpr size_t kChains = 16384;  // a power of two

  static bool continues(const Chain& chain, const Resize& growth);
  static KeyView key_of(const Resize& resize);
  Site& site_of(const Resize& resize);
  static void add_own(const Resize& resize, SiteTotals& site);
  TargetTotals& target_of(const Target& target);
  static SiteTotals totals_of(const Site& site);
  void add_growth(const Resize& resize, Site& site);
  // The size that the growing map had reached at the site; 0: it is new there.
  [[nodiscard]] static uint8_t size_before(const Resize& growth, uint8_t size, const Chain& chain,
                                           bool continued, const Site& site);

  const size_t max_sites_;
  mutable std::mutex mutex_;
  std::unordered_map<Key, Site, Hash, Equal> sites_;
  std::unordered_map<uint32_t, TargetTotals> targets_;  // by Target::id
  Site other_site_;
  TargetTotals other_target_;
  std::vector<Chain> chains_;  // direct-mapped by target and map address
  uint64_t chains_evicted_ = 0;
};

}  // namespace mapscope
