// SPDX-License-Identifier: Apache-2.0
#include "agent/options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/option_values.h"
#include "agent/suggestion.h"

namespace mapscope {
namespace {

// It counts twice in the agent's resident memory: the kernel maps a ring's pages once more behind
// their end. An eighth of the larger one bears 200,000 resizes a second.
constexpr uint32_t kFewRingKib = 2048;
constexpr uint32_t kManyRingKib = 16384;

constexpr uint64_t kRacesNs = 60'000'000'000;

constexpr const char* kAbout =
    "Watches hash maps grow in running programs: which map, from which line of code, how long the\n"
    "insert stalled, where the thread was meanwhile, and who waited behind it. Changes nothing in "
    "them.";

constexpr const char* kMore =
    "Examples:\n"
    "  sudo agent --pid 4242                     rows on the terminal, metrics at :9847/metrics\n"
    "  sudo agent --pid 4242 --events json | jq  one JSON object for each resize\n"
    "  sudo agent --all --exclude 'sh*'          every process of the machine, now and later\n"
    "  sudo agent --exe '*/bin/store'            every process of one program\n"
    "  sudo agent -- ./store --port 8080         a command, from its first instruction\n"
    "  agent inspect ./store                     what would be probed in a program, and why\n"
    "  sudo agent doctor                         can this kernel and this user do it\n"
    "\n"
    "Durations (DUR) are 5ms, 1.5s, 5m, or a number of seconds.\n"
    "\n"
    "Columns of a row (a wider terminal shows more of them, a file all):\n"
    "  STALL      what the insert that began the resize paid: how long it was held up\n"
    "  QUEUED     threads that waited behind it × how long each did, on average\n"
    "  MOVE       begin to end of a move that goes on after that insert; empty: there was none\n"
    "  TIME       local time at the begin         PROCESS  name/pid\n"
    "  SLOTS      before→after, Ki = 1024         KIND     grow, same_size, split, prune, …\n"
    "  ENTRIES    before the insert               THREAD   its id; GOID: of the goroutine, as g18\n"
    "  RUN/W/B%   share of that time on a CPU / waiting for one / asleep or in I/O, in percent\n"
    "  MAP        address of the map              FAULTS   page faults of the resize\n"
    "  CALL SITE  the line of the insert: function file:line, or its address; 'line not sampled': "
    "unknown;\n"
    "             ← the line of the program's own module that led there\n"
    "Times are in ns, µs, ms or s; – is unknown. In the summary they are sums over all resizes of "
    "a process or a line;\n"
    "RESIZES and FATALS are how many there were, MAPS how many maps grew, LARGEST the slots of the "
    "largest, PROGRAM ×N\n"
    "that of N processes, INSERTS calls of the insert function, MEAN what one took on average, IN "
    "RESIZE the same while\n"
    "the map was being resized.\n"
    "\n"
    "Ends when the targets are gone (with --all, --exe or --comm it waits for more), or by Ctrl-C, "
    "with a summary by line of code. Nothing stays "
    "behind.\n"
    "Exit status: that of the command behind -- (128 + N: it died of signal N; 126: it cannot be "
    "run; 127: there is none of that name); without one 0 done, 1 it could not be done, 2 the "
    "command line is wrong.";

void add_selection(CLI::App& app, Selection& selection) {
  app.add_flag("--all", selection.all, "Every process of the machine, now and later");
  app.add_option("--exe", selection.exe,
                 "Processes whose executable has a path like this, as they see it; * also matches "
                 "a slash; may be given more than once, and with the others")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  app.add_option("--comm", selection.comm, "Processes of a name like this (at most 15 bytes)")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  app.add_option("--exclude", selection.exclude, "None of such an executable or name")
      ->type_name("GLOB")
      ->allow_extra_args(false);
}

void add_display_options(CLI::App& app, WatchOptions& watch) {
  add_choice<EventFormat>(
      app, "--events", watch.events,
      {{"text", EventFormat::kText},
       {"summary", EventFormat::kSummary},
       {"json", EventFormat::kJson},
       {"none", EventFormat::kNone}},
      "On standard output, for each resize: a row (text, default; the columns are below), nothing "
      "but the summary at the end (summary), one JSON object a line (json), none");
  app.add_option("-o,--output", watch.output,
                 "One JSON object a line into this file, whatever --events writes; with --events "
                 "json there instead of to standard output; - is --events json")
      ->type_name("FILE");
  add_duration(
      app, "--min-stall", [&watch](uint64_t ns) { watch.min_stall_ns = ns; },
      "No row and no JSON line for a resize that took less; they are counted "
      "[1ms for rows on a terminal, else 0]");
}

void add_cost_options(CLI::App& app, WatchOptions& watch) {
  add_duration(
      app, "--mode-seconds", [&watch](uint64_t ns) { watch.mode_ns = ns; },
      "How long inserts or races lasts, then back to resizes; 0: to the end [60 in races, else 0]");
  app.add_option_function<std::string>(
         "--overhead-budget",
         [&watch](const std::string& text) {
           const std::string wrong = parse_share(text, watch.budget);
           if (!wrong.empty()) throw CLI::ValidationError("--overhead-budget", wrong);
         },
         "What probes may take of a target's CPU time, as estimated; above it whole stacks come "
         "off, then probes that only add times, both for ten seconds and longer each time, then "
         "what the mode adds, then all for a minute and longer each time; none: no limit [1% in "
         "resizes, else 50%]")
      ->type_name("PERCENT");
}

void add_web_options(CLI::App& app, WatchOptions& watch) {
  app.add_option("--web.listen-address", watch.web.listen_addresses,
                 "Where metrics are served; may be given more than once")
      ->type_name("[HOST]:PORT")
      ->allow_extra_args(false)
      ->capture_default_str();
  app.add_flag("--web.systemd-socket", watch.web.systemd_socket,
               "Take the sockets of a systemd .socket unit instead");
  app.add_option("--web.config.file", watch.web.config_file,
                 "TLS, users and headers, in the format of Prometheus's exporter-toolkit")
      ->type_name("FILE");
  app.add_option("--web.telemetry-path", watch.web.telemetry_path, "Path of the metrics")
      ->type_name("PATH")
      ->capture_default_str();
  app.add_option("--web.max-requests", watch.web.max_requests,
                 "Answers being sent at a time; the oldest makes room for a new one")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 512));
  app.add_flag_callback(
      "--no-web", [&watch] { watch.web_enabled = false; }, "Serve nothing");
}

void add_hidden_options(CLI::App& app, WatchOptions& watch) {
  // For those who look for the reason of an EPERM.
  app.add_flag("!--debug.no-sandbox", watch.sandbox)->group("");
  // For those who want to see what happens when one of them is reached.
  Limits& limits = watch.limits;
  for (const auto& [name, limit] : {std::pair{"--debug.max-targets", &limits.targets},
                                    {"--debug.max-probes", &limits.probes},
                                    {"--debug.max-open-resizes", &limits.open_resizes},
                                    {"--debug.max-threads", &limits.threads},
                                    {"--debug.max-waits", &limits.waits},
                                    {"--debug.max-locks", &limits.locks},
                                    {"--debug.max-insert-types", &limits.insert_types}}) {
    app.add_option(name, *limit)->group("")->check(CLI::Range(1U, *limit));
  }
}

void add_command(CLI::App& app, WatchOptions& watch) {
  app.add_option("command", watch.command, "After --: a command to start and watch")
      ->type_name("CMD ARGS…");
  app.add_option("--user", watch.user, "Who runs the command behind --, instead of root")
      ->type_name("NAME");
  app.add_flag("--follow", watch.follow, "Also watch every process that the command starts");
}

void add_watch_options(CLI::App& app, WatchOptions& watch, uint32_t& ring_kib) {
  app.add_option("--pid", watch.pids, "Process to watch; may be given more than once")
      ->type_name("N")
      ->check(at_least(1, "the number of a process"));
  add_selection(app, watch.selection);
  add_command(app, watch);
  add_duration(
      app, "--seconds", [&watch](uint64_t ns) { watch.limit_ns = ns; },
      "Stop after so long; 0: when the targets are gone [0]");
  add_choice<Mode>(
      app, "--mode", watch.mode,
      {{"resizes", Mode::kResizes}, {"inserts", Mode::kInserts}, {"races", Mode::kRaces}},
      "resizes (default): cheap enough to stay on; inserts: also counts every insert, "
      "1 to 2 µs each in Go; races: finds unsynchronised writers of Go maps, for a while");
  add_cost_options(app, watch);
  add_display_options(app, watch);
  add_web_options(app, watch);
  app.add_option("--cri.socket", watch.cri_socket,
                 "Ask this container runtime (CRI: containerd, CRI-O) what containers are called, "
                 "for mapscope_container_info; without it nobody is asked")
      ->type_name("PATH");
  app.add_flag("--go.strict", watch.go_strict,
               "Refuse programs of a Go newer than 1.27, instead of watching those that prove to "
               "keep their maps as it does");
  app.add_option("--log.level", watch.log_level, "debug, info, warn or error")
      ->type_name("LEVEL")
      ->capture_default_str();
  add_choice<LogFormat>(app, "--log.format", watch.log_format,
                        {{"text", LogFormat::kText}, {"json", LogFormat::kJson}},
                        "text (default) or json, on standard error");
  app.add_option("--ring-kib", ring_kib,
                 "Ring between kernel and agent, a power of two of KiB (2048; with --all, --exe or "
                 "--comm 16384)")
      ->type_name("KIB")
      ->check(CLI::Range(4, 1 << 20));
  app.add_option("--stacks-per-second", watch.limits.stacks_per_second,
                 "Whole stacks of one target that are sampled; further resizes have the last stack "
                 "of their call site, which is known of every growth in Go")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  add_choice<AttachChoice>(
      app, "--attach-method", watch.attach,
      {{"auto", AttachChoice::kAuto},
       {"multi", AttachChoice::kMulti},
       {"perf", AttachChoice::kPerf}},
      "auto (default): multi (one link for many probes) on kernels >= 6.6, perf events below");
}

void add_inspect(CLI::App& app, InspectOptions& inspect) {
  CLI::App* command = app.add_subcommand(
      "inspect", "What would be probed in a binary, where, why and at what price; needs no root");
  command->add_option("binary", inspect.path, "Program or shared library")
      ->required()
      ->type_name("BINARY");
  command->add_flag("--json", inspect.json, "One JSON object");
  command
      ->add_option("--kernel", inspect.kernel,
                   "Plan for this kernel release instead of the running one")
      ->type_name("6.1");
  add_choice<Mode>(
      *command, "--mode", inspect.mode,
      {{"resizes", Mode::kResizes}, {"inserts", Mode::kInserts}, {"races", Mode::kRaces}},
      "resizes (default), inserts or races");
}

void add_doctor(CLI::App& app, DoctorOptions& doctor) {
  CLI::App* command = app.add_subcommand(
      "doctor", "Can this kernel and this user do it; what each kind of probe costs here");
  command->add_flag("--json", doctor.json, "One JSON object");
}

const std::vector<std::string> kSubcommands = {"inspect", "doctor"};

// Words behind -- are the command's own: CLI11 takes [a,b] apart. Without a -- a word is a mistake.
Status take_command(WatchOptions& watch, int argc, char** argv) {
  char** const end = argv + argc;
  char** const mark = std::find_if(argv, end, [](std::string_view word) { return word == "--"; });
  if (mark != end) {
    watch.command.assign(mark + 1, end);
  } else if (!watch.command.empty()) {
    return Error{ErrorKind::kUsage, "'" + watch.command.front() + "' is not an option" +
                                        suggestion_text(watch.command.front(), kSubcommands) +
                                        "; a command to start goes behind --; see 'agent --help'"};
  }
  return Done{};
}

// The fewest bytes that a text has which the glob matches.
size_t least_bytes(std::string_view glob) {
  size_t bytes = 0;
  for (size_t at = 0; at < glob.size(); ++at) {
    if (glob[at] == '*') continue;
    if (glob[at] == '\\') ++at;
    if (glob[at] == '[') at = std::min(glob.find(']', at + 2), glob.size());
    ++bytes;
  }
  return bytes;
}

Status check_selection(const WatchOptions& watch) {
  constexpr size_t kCommBytes = 15;
  for (const std::string& glob : watch.selection.comm) {
    if (least_bytes(glob) <= kCommBytes) continue;
    return Error{ErrorKind::kUsage,
                 fmt::format("--comm {}: the kernel keeps 15 bytes of a name, so this matches "
                             "nothing; use --comm '{}' or --exe '*/{}'",
                             glob, glob.substr(0, kCommBytes), glob)};
  }
  if (watch.command.empty() && (watch.follow || !watch.user.empty())) {
    return Error{ErrorKind::kUsage, std::string(watch.follow ? "--follow" : "--user") +
                                        " is about the command behind --, and there is none; see "
                                        "'agent --help'"};
  }
  return Done{};
}

Status check_watch(WatchOptions& watch, uint32_t ring_kib) {
  if (auto checked = check_selection(watch); !checked) return checked;
  std::sort(watch.pids.begin(), watch.pids.end());
  watch.pids.erase(std::unique(watch.pids.begin(), watch.pids.end()), watch.pids.end());
  if (!watch.selection.active() && !watch.selection.exclude.empty()) {
    return Error{ErrorKind::kUsage,
                 "--exclude takes from --all, --exe or --comm: give one; see 'agent --help'"};
  }
  if (watch.pids.empty() && watch.command.empty() && !watch.selection.active()) {
    return Error{ErrorKind::kUsage,
                 "nothing to watch: give --pid N, --exe GLOB, --comm NAME, --all or -- CMD ARGS…; "
                 "see 'agent --help'"};
  }
  if (ring_kib == 0) ring_kib = watch.discovers() ? kManyRingKib : kFewRingKib;
  if (!std::has_single_bit(ring_kib)) {
    return Error{ErrorKind::kUsage,
                 "--ring-kib: " + std::to_string(ring_kib) + " is not a power of two"};
  }
  watch.limits.ring_bytes = ring_kib * 1024;
  if (!watch.mode_ns) watch.mode_ns = watch.mode == Mode::kRaces ? kRacesNs : 0;
  if (watch.output == "-") {
    watch.output.clear();
    watch.events = EventFormat::kJson;
  }
  if (watch.budget < 0) watch.budget = watch.mode == Mode::kResizes ? 0.01 : 0.5;
  return Done{};
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_group().empty() && !option->get_lnames().empty())
      names.push_back("--" + option->get_lnames().front());
  }
  return names;
}

// What the library calls "the following argument was not expected".
Error unknown_option(const CLI::App& app, int argc, char** argv) {
  const auto subcommands = app.get_subcommands();
  const CLI::App& asked = subcommands.empty() ? app : *subcommands.front();
  const std::vector<std::string> known = option_names(asked);
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i) {
    const std::string word = std::string(argv[i]).substr(0, std::string_view(argv[i]).find('='));
    if (!word.starts_with("-") || std::ranges::find(known, word) != known.end() || word == "-h")
      continue;
    return {ErrorKind::kUsage,
            "there is no option " + word + suggestion_text(word, known) +
                (subcommands.empty() ? "; see 'agent --help'"
                                     : "; see 'agent " + asked.get_name() + " --help'")};
  }
  return {ErrorKind::kUsage, "there is a word too many; see 'agent --help'"};
}

// CLI11 may say it in several lines; the first is what is wrong.
Error usage_error(const CLI::ParseError& error) {
  std::string text = error.what();
  text.resize(std::min(text.find('\n'), text.size()));
  return {ErrorKind::kUsage, text + "; see 'agent --help'"};
}

}  // namespace

Result<Parsed> parse_options(int argc, char** argv) {
  Parsed parsed;
  Options& options = parsed.options;
  uint32_t ring_kib = 0;
  CLI::App app(kAbout, "agent");
  app.footer(kMore);
  app.set_version_flag("--version", "agent (mapscope) " MAPSCOPE_VERSION);
  add_watch_options(app, options.watch, ring_kib);
  add_hidden_options(app, options.watch);
  add_inspect(app, options.inspect);
  add_doctor(app, options.doctor);
  try {
    // What stands behind -- is the command's, and no value of an option before it.
    char** const mark =
        std::find_if(argv, argv + argc, [](std::string_view word) { return word == "--"; });
    app.parse(static_cast<int>(mark - argv), argv);
  } catch (const CLI::Success& shown) {
    app.exit(shown);
    parsed.printed = true;
    return parsed;
  } catch (const CLI::ExtrasError&) {
    return unknown_option(app, argc, argv);
  } catch (const CLI::ParseError& error) {
    return usage_error(error);
  }
  if (app.got_subcommand("inspect")) options.command = Command::kInspect;
  if (app.got_subcommand("doctor")) options.command = Command::kDoctor;
  if (options.command != Command::kWatch) return parsed;
  options.watch.web.any_port_if_busy =
      app.get_option("--web.listen-address")->count() == 0 &&
      (::isatty(STDOUT_FILENO) == 1 || ::isatty(STDERR_FILENO) == 1);
  if (auto taken = take_command(options.watch, argc, argv); !taken) return std::move(taken).error();
  if (auto checked = check_watch(options.watch, ring_kib); !checked)
    return std::move(checked).error();
  return parsed;
}

}  // namespace mapscope
