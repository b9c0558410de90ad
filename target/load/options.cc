// SPDX-License-Identifier: Apache-2.0
#include "target/load/options.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace mapscope {
namespace {

constexpr uint64_t kDefaultKeys = 1'000'000;
constexpr uint64_t kDefaultChurnKeys =
    1'600;  // 6.25 entries in each of 256 buckets: overflow builds up quickly
constexpr double kDefaultCompareSeconds = 2;
constexpr unsigned kMaxThreads = 16384;
constexpr uint64_t kMaxCount = 1'000'000'000'000'000;

constexpr char kDescription[] =
    "Puts load on an instrumented hash map that grows as Go's classic map does,\n"
    "so that Mapscope has something to watch and a truth to be checked against.";

constexpr char kExamples[] = R"(Examples:
  target --inserts 1000000                          grow one map from nothing to a million entries
  target --inserts 1000000 --growth stop_the_world --truth growths.jsonl
                                                    and write down every growth
  target --strategy mutex --threads 8 --seconds 30  eight threads, one lock; starts over when full
  target --wait --seconds 10                        prints "ready PID", begins when Enter is pressed
  target --workload churn --seconds 5               same-size growths only
  target --workload tiny --seconds 5 --rate 100000  100,000 resizes per second
  target --compare --threads 4 --read-share 0.9     all strategies on the same load, as a table
  target --threads 10 --repeat 100                  how soon do ten unsynchronised threads die?

A plain map with more than one thread ends with "fatal error: concurrent map writes" and exit status 2.
copy_on_write copies the whole map at every insert: use few --keys, or --seconds.)";

template <typename T>
using Names = std::vector<std::pair<std::string, T>>;

Names<Strategy> strategy_names() {
  Names<Strategy> names;
  for (const StrategyName& entry : kStrategies) names.emplace_back(entry.name, entry.strategy);
  return names;
}

template <typename T>
void define_choice(CLI::App& app, const std::string& flag, const Names<T>& names, T& choice,
                   const std::string& help) {
  std::vector<std::string> words;
  for (const auto& [word, value] : names) words.push_back(word);
  app.add_option_function<std::string>(
         flag,
         [&choice, names](const std::string& wanted) {
           for (const auto& [word, value] : names) {
             if (word == wanted) choice = value;
           }
         },
         help)
      ->check(CLI::IsMember(words).description(""));
}

void define_load(CLI::App& app, LoadOptions& options) {
  define_choice(app, "--strategy", strategy_names(), options.strategy,
                "plain (default), mutex, shared_mutex, sharded, sync_map or copy_on_write");
  define_choice<GrowthMode>(
      app, "--growth",
      {{"incremental", GrowthMode::kIncremental}, {"stop_the_world", GrowthMode::kStopTheWorld}},
      options.growth, "incremental (default) or stop_the_world");
  define_choice<Workload>(
      app, "--workload",
      {{"inserts", Workload::kInserts}, {"churn", Workload::kChurn}, {"tiny", Workload::kTiny}},
      options.workload,
      "inserts (default): new keys; churn: erase and insert at constant size; "
      "tiny: a stream of small plain maps that grow once or twice each");
  app.add_option("--threads", options.threads, "Threads (default 1)")
      ->check(CLI::Range(1U, kMaxThreads).description(""));
  auto* inserts = app.add_option("--inserts", options.inserts,
                                 "New keys in all, then exit (default 1000000 without --seconds)")
                      ->check(CLI::Range(uint64_t{1}, kMaxCount).description(""));
  app.add_option("--seconds", options.seconds,
                 "Run that long; when --keys are in, start over with an empty map (--compare: 2)")
      ->check(CLI::Range(0.001, 1e6).description(""))
      ->excludes(inserts);
  app.add_option("--keys", options.keys,
                 "Entries of a full map with --seconds (default 1000000); of churn (default 1600)")
      ->check(CLI::Range(uint64_t{1}, kMaxCount).description(""));
  app.add_option("--read-share", options.read_share,
                 "Share of lookups among all operations, 0 to 0.999 (default 0)")
      ->check(CLI::Range(0.0, 0.999).description(""));
  app.add_option("--reserve", options.reserve,
                 "Make every map for that many entries (default 0: 8 slots)")
      ->check(CLI::Range(uint64_t{0}, kMaxCount).description(""));
  app.add_option("--rate", options.rate,
                 "tiny only: resizes per second in all (default: as many as possible)");
  app.add_option("--sleep-in-grow", options.sleep_in_grow_us,
                 "Microseconds every growth sleeps inside mapscope_map_grow (default 0)");
}

void define_modes(CLI::App& app, LoadOptions& options) {
  auto* truth = app.add_option("--truth", options.truth_path,
                               "Write one JSON line per growth to this file at the end");
  auto* wait = app.add_flag("--wait", options.wait,
                            "Print \"ready PID\" and begin on a newline from standard input");
  auto* repeat =
      app.add_option("--repeat", options.repeat,
                     "Try that often, each in a child process: time until the fatal error")
          ->check(CLI::Range(uint64_t{1}, kMaxCount).description(""))
          ->excludes(truth)
          ->excludes(wait);
  app.add_flag("--compare", options.compare, "Run every strategy on this load and print a table")
      ->excludes(truth)
      ->excludes(wait)
      ->excludes(repeat)
      ->excludes(app.get_option("--strategy"))
      ->excludes(app.get_option("--inserts"));
  app.add_flag("--json", options.json, "Print the result as JSON");
}

// Mistakes that only several options together make, or null.
const char* contradiction(const LoadOptions& options) {
  if (options.workload == Workload::kTiny &&
      (options.strategy != Strategy::kPlain || options.compare)) {
    return "--workload tiny uses plain maps, one per thread: leave out --strategy and --compare";
  }
  if (options.workload != Workload::kTiny && options.rate != 0) {
    return "--rate paces --workload tiny only";
  }
  return nullptr;
}

void apply_defaults(LoadOptions& options) {
  if (options.compare && options.seconds == 0) options.seconds = kDefaultCompareSeconds;
  if (options.seconds == 0 && options.inserts == 0) options.inserts = kDefaultKeys;
  if (options.keys == 0) {
    options.keys = options.workload == Workload::kChurn ? kDefaultChurnKeys : kDefaultKeys;
  }
}

}  // namespace

std::optional<int> parse_options(int argc, char** argv, LoadOptions& options) {
  CLI::App app(kDescription, "target");
  app.footer(kExamples);
  define_load(app, options);
  define_modes(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success&) {
    std::cout << app.help();
    return 0;
  } catch (const CLI::ParseError& error) {
    std::cerr << "target: " << error.what() << " (see target --help)\n";
    return 2;
  }
  if (const char* mistake = contradiction(options); mistake != nullptr) {
    std::cerr << "target: " << mistake << '\n';
    return 2;
  }
  apply_defaults(options);
  return std::nullopt;
}

}  // namespace mapscope
