// SPDX-License-Identifier: Apache-2.0
// agent/model/site_table.h – what resizing cost per line of code and per target, and what
// pre-sizing would have saved.
//
// A site is the first frame outside the map's own code and the type of the map: (exe, function,
// file, line, map_type). Where that frame has no name it is (exe, address, map_type); where it is
// not known at all (exe, map_type).
//
// Savings. A map that grows k times in a row, from its first growth seen to N entries, forms a
// chain: each growth starts with the slots that the one before ended with. Making room for N
// entries at the map's creation would have replaced the chain by one sizing, so per chain
//   growths saved  = k - 1
//   time saved     = sum of the time of growths 2..k. Time is stall_ns (what the inserts paid)
//                    where it was probed, else wall_ns. It is an upper bound: the allocation
//                    of the last table is still paid, once and outside of any insert.
//   bytes saved    = sum of the tables that growths 2..k replaced and so made garbage: the
//                    new_bytes of the growth before; of a split half its own new_bytes, because
//                    it replaces one table by two as large.
// A growth with a level is the split of one table of a map of many, from old_slots to new_slots;
// the map has grown by the difference. So a chain's slots are a running sum over the whole map. It
// begins with the slots of the first growth seen, or, when that is a split of level d, with 2^d
// tables: exact for a map that was made with a directory and for one whose tables split evenly. A
// split continues a chain when there can have been a table of that level: the sum has at least
// d + 1 tables (exactly 1 for d = 0), no more than the directory listed, and room for the entries.
// A chain's growths may come from several lines; each growth counts at the line where it happened
// (its time and what it replaced, if it is not the first). N at a site is the most that any of its
// growths says a map must be made for: its `reserve`, and no less than its entries + 1.
// What makes it an under-estimate: growths before the agent came; a chain forgotten (counted in
// `chains_evicted`) because the table of kChains recent maps was needed for another map; growths
// of unknown slots; a growth whose record was lost. What can make it wrong: a map freed and
// another, exactly as large as the old one had become, created at the same address: two chains are
// then seen as one.
// Only growths enter: a same_size, prune or clear is not avoided by reserving. Promotions, rebuilds
// and expansions are no resizes and are counted apart.
//
// Bounds: at most `max_sites` sites, after which resizes of new sites are added up in one site
// whose function is "other"; the same for targets. Memory is constant once these are reached.
// Threads: all members may be called from any thread. add() takes one lock and allocates only for
// a new site or target.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/model/resize.h"

namespace mapscope {

struct Savings {
  uint64_t growths = 0;
  uint64_t time_ns = 0;
  uint64_t bytes = 0;
};

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
  uint64_t maps = 0;     // chains begun here
  uint64_t stall_ns = 0;
  uint64_t wall_ns = 0;
  uint64_t blocked_ns = 0;
  uint64_t blocked_threads = 0;
  uint64_t max_new_slots = 0;  // of a whole map; 0 unknown
  uint64_t max_entries = 0;    // most entries a growth had to make room for; 0 unknown
  uint64_t reserve = 0;        // what to make a map for, N above; 0 unknown
  Savings savings;
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
  struct Chain {
    uint64_t map_addr = 0;
    uint64_t slots = 0;  // of the whole map after its last growth; 0: no chain here
    uint64_t bytes = 0;  // of its last table
    uint32_t target = 0;
  };
  static constexpr size_t kChains = 16384;  // a power of two

  static bool continues(const Chain& chain, const Resize& growth);
  static KeyView key_of(const Resize& resize);
  SiteTotals& site_of(const Resize& resize);
  static void add_own(const Resize& resize, SiteTotals& site);
  TargetTotals& target_of(const Target& target);
  void add_growth(const Resize& resize, uint64_t cost_ns, SiteTotals& site);

  const size_t max_sites_;
  mutable std::mutex mutex_;
  std::unordered_map<Key, SiteTotals, Hash, Equal> sites_;
  std::unordered_map<uint32_t, TargetTotals> targets_;  // by Target::id
  SiteTotals other_site_;
  TargetTotals other_target_;
  std::vector<Chain> chains_;  // direct-mapped by target and map address
  uint64_t chains_evicted_ = 0;
};

}  // namespace mapscope
