// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <memory>
#include <optional>
#include <set>

#include "agent/attach/perf_links.h"
#include "agent/attach/programs.h"
#include "agent/base/unique_fd.h"
#include "agent/collect/collector.h"
#include "agent/collect/drop_reason.h"
#include "agent/discover/cri/container_names.h"
#include "agent/discover/process.h"
#include "agent/discovery.h"
#include "agent/export/text.h"
#include "agent/export/units.h"
#include "agent/loss_log.h"
#include "agent/memory_headrooms.h"
#include "agent/overhead/calibration.h"
#include "agent/pipeline.h"
#include "agent/privileges.h"
#include "agent/startup.h"
#include "agent/stop.h"
#include "agent/watcher.h"

namespace mapscope {
namespace {

constexpr int kTickMs = 100;
constexpr int kWaitingTickMs = 20;
constexpr uint64_t kNsPerSecond = 1'000'000'000;
constexpr std::array<std::string_view, kRecordTypes> kRecordNames = {
    "refused", "resize", "stack", "fatal", "process", "frames", "race"};

AttachMethod choose_method(AttachChoice choice, const KernelFacts& kernel) {
  switch (choice) {
    case AttachChoice::kMulti:
      return AttachMethod::kMulti;
    case AttachChoice::kPerf:
      return AttachMethod::kPerf;
    case AttachChoice::kAuto:
      break;
  }
  return kernel.has_uprobe_multi() ? AttachMethod::kMulti : AttachMethod::kPerf;
}

DisplayOptions display_options(const WatchOptions& options, const UniqueFd& output) {
  DisplayOptions display;
  display.events = options.events;
  display.output_fd = output.get();
  display.output_name = options.output;
  display.min_stall_ns = options.min_stall_ns;
  display.by_program = options.selection.active();
  return display;
}

// Whoever started the agent may have set them otherwise.
void set_dispositions() {
  std::signal(SIGPIPE, SIG_IGN);
  // Ignored, the pid of a command that ended would soon be another's.
  std::signal(SIGCHLD, SIG_DFL);
}

// The stages of one run, in the order of the flow. Members are destroyed in reverse: the web server
// stops before what it shows, probes go before the programs they call.
class Agent {
 public:
  Agent(const WatchOptions& options, const KernelFacts& kernel, const ProbeCosts& costs,
        Programs programs, Symbolizer symbolizer, std::unique_ptr<Stop> stop, UniqueFd output)
      : options_(&options),
        stop_(std::move(stop)),
        programs_(std::move(programs)),
        descriptors_(options.limits.probes),
        symbolizer_(std::move(symbolizer)),
        watcher_(programs_, descriptors_, targets_, symbolizer_, kernel,
                 {options.mode, options.discovers() ? Sharing::kShared : Sharing::kPerProcess,
                  costs, options.budget, options.go_strict}),
        pipeline_(targets_, descriptors_, symbolizer_, display_options(options, output),
                  stop_.get()),
        output_(std::move(output)) {}

  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  Agent(Agent&&) = delete;
  Agent& operator=(Agent&&) = delete;
  // What takes long now is for the kernel to do.
  ~Agent() {
    stop_->set_escape([status = status_.load()](const Stop::Reason& reason, bool at_once) {
      ::_exit(at_once ? 128 + reason.signal : status);
    });
  }

  Result<int> run(Startup startup) {
    child_ = std::move(startup.child);
    manager_ = std::move(startup.manager);
    mappings_ = std::move(startup.mappings);
    no_mappings_ = std::move(startup.no_mappings);
    names_ = std::move(startup.names);
    auto collector = Collector::start(programs_.ring_fd());
    if (!collector) return std::move(collector).error();
    collector_ = std::move(*collector);
    stop_->set_escape(
        [this](const Stop::Reason& reason, bool at_once) { escape(reason, at_once); });
    pipeline_.metrics().set_self_stats([this] { return self_stats(); });
    if (auto served = serve(std::move(startup.web)); !served) return std::move(served).error();
    if (auto watched = watch_all(); !watched) return std::move(watched).error();
    pipeline_.refresh_targets();
    if (names_) names_->start();
    want_names();
    ready_ = true;
    // With port 0 this is the only way to learn the address. Not before it is sure that there is
    // something to show.
    if (server_) announce(*server_);
    manager_.ready(watcher_.attached());
    auto ended = loop();
    manager_.stopping();
    drain();
    for (const Target& target : targets_.snapshot())
      watcher_.forget(target.id, !is_running(target.pid, target.start_ticks));
    drain();
    loss_log_.look(lost());
    pipeline_.finish(self_stats());
    if (child_) end_command();
    if (ended) return status_.load();
    status_ = 1;
    return std::move(ended).error();
  }

 private:
  // What the command gets when the agent ends before it: what the agent got, unless the terminal
  // has sent it that, too.
  [[nodiscard]] int ending_signal(const Stop::Reason& reason) const {
    if (reason.signal == 0) return SIGTERM;
    return reason.from_terminal && child_->is_in_own_group() ? 0 : reason.signal;
  }

  // Its status is the agent's; 0 when it was ended because the time asked for was over.
  void end_command() {
    stop_->hold(true);
    const bool stopped = stop_->asked() && !child_->has_ended();
    child_->end(stopped ? ending_signal(stop_->reason()) : SIGTERM);
    const int status = child_->take_status();
    status_ = stopped && stop_->reason().signal == 0 ? 0 : status;
    stop_->hold(false);
  }

  // From the thread of stop_, while the main thread is held up somewhere.
  void escape(const Stop::Reason& reason, bool at_once) {
    if (at_once && child_) child_->end(SIGKILL);
    if (at_once) ::_exit(128 + reason.signal);
    SelfStats stats;  // not all of them: what others ask of the main thread's could not be asked
    stats.lost = lost();
    pipeline_.finish_in_place(stats);
    if (child_ && child_->pid() > 0) {
      child_->end(ending_signal(reason));
      const int status = child_->take_status();
      status_ = reason.signal == 0 ? 0 : status;
    }
    ::_exit(status_);
  }

  static void announce(const WebServer& server) {
    for (const std::string& url : server.metrics_urls())
      std::fprintf(stderr, "agent: metrics at %s\n", url.c_str());
  }

  Status serve(std::optional<WebSetup> web) {
    if (!web) return Done{};
    if (web->settings->has_file()) web_settings_ = web->settings.get();
    WebSources sources;
    sources.metrics = &pipeline_.metrics();
    sources.sites = &pipeline_.sites();
    sources.recent = &pipeline_.recent();
    sources.fatals = &pipeline_.fatals();
    sources.races = &pipeline_.races();
    sources.not_ready = [this] { return std::string(ready_ ? "" : "probes are being attached"); };
    auto server = WebServer::start(options_->web, std::move(*web), std::move(sources));
    if (!server) return std::move(server).error();
    server_ = std::move(*server);
    return Done{};
  }

  // One that cannot be watched does not keep the others from being watched; if none can, the first
  // reason is the error.
  Status watch_all() {
    discovery_.emplace(
        options_->selection,
        Discovery::Named{options_->pids, child_ ? child_->pid() : 0, options_->follow}, watcher_,
        targets_, [this](const Target& target) { pipeline_.show(target); }, [this] { drain(); });
    if (auto started = discovery_->start(std::move(mappings_)); !started) {
      pipeline_.refresh_targets();
      return started;
    }
    if (!no_mappings_.empty())
      log_warn("{}; libraries that are loaded later are found late", printable(no_mappings_));
    if (options_->selection.active() && !child_ && watcher_.attached() == 0)
      std::fprintf(stderr, "agent: no process to watch yet; waiting for one\n");
    return child_ ? child_->release() : Done{};
  }

  Status loop() {
    const uint64_t started_ns = monotonic_now_ns();
    if (options_->mode_ns.value_or(0) != 0) mode_end_ns_ = started_ns + *options_->mode_ns;
    if (options_->limit_ns != 0) stop_->set_deadline(started_ns + options_->limit_ns);
    uint64_t looked_ns = started_ns;
    while ((child_ || discovery_->may_find() || watcher_.attached() > 0) && !stop_->asked()) {
      std::array<pollfd, 3> wanted{{{stop_->fd(), POLLIN, 0},
                                    {collector_->ready_fd(), POLLIN, 0},
                                    {child_ ? child_->ended_fd() : -1, POLLIN, 0}}};
      ::poll(wanted.data(), wanted.size(), discovery_->is_waiting() ? kWaitingTickMs : kTickMs);
      if (stop_->asked() || (wanted[2].revents & POLLIN) != 0) break;
      handle_batch();
      discovery_->tick(monotonic_now_ns());
      pipeline_.show(watcher_.guard(monotonic_now_ns()));
      if (mode_end_ns_ != 0 && monotonic_now_ns() >= mode_end_ns_) end_mode();
      if (auto shown = pipeline_.tick(); !shown) return shown;
      manager_.tick(watcher_.attached(), monotonic_now_ns());
      if (monotonic_now_ns() - looked_ns < kNsPerSecond) continue;
      looked_ns = monotonic_now_ns();
      if (options_->follow) child_->reap_others();
      expire(looked_ns);
      want_names();
      loss_log_.look(lost());
      if (options_->mode == Mode::kInserts) pipeline_.show_inserts(self_stats());
    }
    return stop_->asked() ? Done{} : why_never_watched();
  }

  // All that were named have ended.
  Status why_never_watched() {
    const auto error = discovery_->never_watched();
    if (!error) return Done{};
    if (!child_) return *error;
    log_warn("{}", printable(error->text));
    return Done{};
  }

  void end_mode() {
    mode_end_ns_ = 0;
    watcher_.end_mode();
    log_warn("{} of this mode are over (--mode-seconds): back to --mode resizes",
             human_duration(*options_->mode_ns));
  }

  void handle_batch() {
    if (!collector_->take(batch_)) return;
    discovery_->extend_targets(monotonic_now_ns());
    pipeline_.handle(batch_, [this](const ms_process_record& record) {
      // What comes now is not watched any more, and what goes is known to be gone at the end.
      if (!stop_->asked() || record.event == MS_PROCESS_EXIT) discovery_->on_process(record);
    });
  }

  // Of what is gone for long, and of files that nobody runs any more.
  void expire(uint64_t now_ns) {
    std::vector<uint32_t> gone = targets_.expire(now_ns);
    if (!gone.empty()) {
      std::ranges::sort(gone);
      pipeline_.forget(gone);
      symbolizer_.forget_stacks(gone);
    }
    watcher_.tick(now_ns);
  }

  void want_names() {
    if (!names_) return;
    std::set<std::string> wanted;
    for (const auto& [id, target] : targets_.all()) {
      if (target->state == TargetState::kAttached && !target->container_id.empty())
        wanted.insert(target->container_id);
    }
    names_->set_wanted(wanted);
  }

  void drain() {
    collector_->drain();
    handle_batch();
  }

  // On the way from the kernel; what the rate limit leaves out is not lost.
  std::vector<SelfStats::Count> lost(uint64_t* stacks_skipped = nullptr) const {
    std::vector<SelfStats::Count> lost;
    const Collector::Counts overflowed = collector_->overflowed();
    for (size_t type = 1; type < kRecordTypes; ++type)
      lost.push_back({"queue_full_" + std::string(kRecordNames[type]), overflowed[type]});
    const std::vector<uint64_t> drops = programs_.read_drops();
    for (size_t reason = 0; reason < drops.size(); ++reason) {
      if (reason != MS_DROP_STACK_LIMITED)
        lost.push_back({std::string(kDropReasons[reason]), drops[reason]});
    }
    if (stacks_skipped != nullptr) *stacks_skipped = drops[MS_DROP_STACK_LIMITED];
    return lost;
  }

  SelfStats self_stats() const {
    SelfStats stats;
    const Collector::Counts accepted = collector_->accepted();
    for (size_t type = 1; type < kRecordTypes; ++type)
      stats.records.push_back({std::string(kRecordNames[type]), accepted[type]});
    stats.lost = lost(&stats.stacks_skipped);
    stats.lost.push_back({"record_malformed", accepted[0]});
    stats.ring_fill_ratio = collector_->ring_fill_ratio();
    if (web_settings_ != nullptr) stats.web_config_ok = web_settings_->reload_error().empty();
    if (names_) {
      stats.container_names = names_->all();
      stats.cri_errors = names_->errors();
    }
    watcher_.add_stats(stats);
    pipeline_.add_stats(stats);
    add_headrooms(pipeline_.metrics().targets(), stats);
    return stats;
  }

  const WatchOptions* options_;
  uint64_t mode_end_ns_ = 0;  // 0: never
  std::unique_ptr<Stop> stop_;
  std::atomic<int> status_{0};  // of the command, once it has ended
  Programs programs_;
  DescriptorTable descriptors_;
  TargetTable targets_;
  Symbolizer symbolizer_;
  std::unique_ptr<Collector> collector_;
  Watcher watcher_;
  Pipeline pipeline_;
  std::unique_ptr<ContainerNames> names_;  // nullptr when nobody is asked
  std::optional<MappingEvents> mappings_;  // until discovery_ has them
  std::string no_mappings_;                // why there are none
  std::optional<Discovery> discovery_;
  std::optional<Child> child_;
  ServiceManager manager_;
  LossLog loss_log_;
  std::atomic<bool> ready_{false};
  Batch batch_;
  UniqueFd output_;                                // pipeline_ writes to it, but not when it ends
  const LiveWebSettings* web_settings_ = nullptr;  // the server's; nullptr without a file
  std::optional<WebServer> server_;
};

}  // namespace

Result<int> watch_targets(const WatchOptions& options) {
  set_dispositions();
  if (auto readable = check_proc(); !readable) return std::move(readable).error();
  auto kernel = running_kernel();
  if (!kernel) return std::move(kernel).error();
  auto startup = Startup::begin(options);
  if (!startup) return std::move(startup).error();
  auto symbolizer = Symbolizer::create();
  if (!symbolizer) return std::move(symbolizer).error();
  auto programs = Programs::load(options.limits, choose_method(options.attach, *kernel),
                                 options.mode, options.discovers());
  if (!programs) return std::move(programs).error();
  auto costs = calibrate(programs->method());
  if (!costs) return std::move(costs).error();
  if (programs->method() == AttachMethod::kPerf) learn_perf_links(*programs);
  if (options.sandbox) {
    confine({programs->method(), startup->child ? startup->child->pid() : 0,
             startup->names != nullptr});
  }
  auto stop = Stop::start();
  if (!stop) return std::move(stop).error();
  const auto agent =
      std::make_unique<Agent>(options, *kernel, *costs, std::move(*programs),
                              std::move(*symbolizer), std::move(*stop), std::move(startup->output));
  return agent->run(std::move(*startup));
}

}  // namespace mapscope
