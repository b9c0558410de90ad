// SPDX-License-Identifier: Apache-2.0
#include "agent/export/event_json.h"

#include "agent/export/json_object.h"
#include "agent/runtimes/program_info.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {
namespace {

void add_frame(std::string& out, const Frame& frame) {
  JsonObject object(out);
  object.text("function", frame.function);
  object.text("file", frame.file);
  if (frame.line != 0) object.number("line", frame.line);
  if (!frame.function.empty()) return;
  object.address("addr", frame.address);
  object.text("module", frame.module);
}

template <typename Items, typename Append>
void add_array(JsonObject& object, std::string_view key, const Items& items, Append append) {
  std::string& out = object.member(key);
  out += '[';
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += ',';
    first = false;
    append(out, item);
  }
  out += ']';
}

void add_stack(JsonObject& event, const StackPtr& stack) {
  if (const Frame* site = stack == nullptr ? nullptr : stack->site_frame())
    add_frame(event.member("site"), *site);
  if (stack == nullptr || stack->frames.empty() || !stack->whole) return;
  add_array(event, "stack", stack->frames, add_frame);
}

void add_container(JsonObject& event, const Target& target) {
  event.text("container_id", target.container_id);
  event.text("pod_uid", target.pod_uid);
}

void add_process(JsonObject& event, const Target& target, std::string_view comm) {
  event.number("pid", static_cast<uint64_t>(target.pid));
  event.text("comm", comm.empty() ? std::string_view(target.comm) : comm);
  event.text("exe", target.exe);
}

// Without a thread where several took part.
template <typename Record>
void add_origin(JsonObject& event, const Record& record, std::optional<uint32_t> tid,
                std::string_view comm) {
  const Target& target = *record.target;
  event.number("pid", static_cast<uint64_t>(target.pid));
  if (tid) event.number("tid", *tid);
  event.text("comm", comm.empty() ? std::string_view(target.comm) : comm);
  event.text("exe", target.exe);
  if (record.runtime != nullptr) event.text("runtime", record.runtime->name);
  if (record.program != nullptr) {
    event.text("version", record.program->version);
    if (record.program->unverified) event.boolean("unverified", true);
  }
  add_container(event, target);
}

void add_map(JsonObject& event, uint64_t address, std::string_view type) {
  if (address == 0 && type.empty()) return;
  JsonObject map(event.member("map"));
  map.address("addr", address);
  map.text("type", type);
}

void add_goroutine(JsonObject& event, const std::optional<Goroutine>& goroutine) {
  if (!goroutine) return;
  JsonObject object(event.member("goroutine"));
  if (goroutine->id != 0) object.number("id", goroutine->id);
  object.text("status", goroutine->status);
  if (goroutine->stack_hi > goroutine->stack_lo) {
    object.number("stack_bytes", goroutine->stack_hi - goroutine->stack_lo);
    object.address("stack_lo", goroutine->stack_lo);
    object.address("stack_hi", goroutine->stack_hi);
  }
  if (goroutine->m >= 0) object.number("m", static_cast<uint64_t>(goroutine->m));
  object.text("start_function", goroutine->start_function);
}

void add_writer(JsonObject& event, std::string_view key, const Writer& writer) {
  JsonObject object(event.member(key));
  object.number("tid", writer.tid);
  if (writer.goid != 0) object.number("goid", writer.goid);
  object.number("begin_ns", writer.begin_ns);
  add_stack(object, writer.stack);
}

void add_last_growth(JsonObject& event, const Fatal& fatal) {
  if (!fatal.last_growth_ns) return;
  JsonObject object(event.member("last_growth"));
  object.number("begin_ns", fatal.last_growth_ns);
  object.number("new_slots", fatal.last_growth_slots);
  if (fatal.growing) object.boolean("growing", true);
}

void add_thread(JsonObject& event, const Resize& resize) {
  if (!resize.thread) return;
  const ThreadTimes& thread = *resize.thread;
  if (resize.thread_of_stall) event.text("states_of", "stall");
  event.number("running_ns", thread.state_ns[MS_RUNNING]);
  event.number("runnable_ns", thread.state_ns[MS_RUNNABLE]);
  event.number("sleeping_ns", thread.state_ns[MS_SLEEPING]);
  event.number("uninterruptible_ns", thread.state_ns[MS_UNINTERRUPTIBLE]);
  event.number("minor_faults", thread.minor_faults);
  event.number("major_faults", thread.major_faults);
  event.number("switches", thread.switches);
}

void add_program(std::string& out, const std::shared_ptr<const ProgramInfo>& program) {
  JsonObject object(out);
  object.text("path", program->path);
  object.text("build_id", program->build_id);
  if (program->runtime != nullptr) object.text("runtime", program->runtime->name);
  object.text("version", program->version);
  if (program->unverified) object.boolean("unverified", true);
}

void add_restructurings(JsonObject& object, const Restructurings& counts) {
  if (counts.promotions != 0) object.number("promotions", counts.promotions);
  if (counts.misses != 0) object.number("misses", counts.misses);
  if (counts.rebuilds != 0) object.number("rebuilds", counts.rebuilds);
  if (counts.expansions != 0) object.number("expansions", counts.expansions);
}

void add_target_totals(std::string& out, const TargetTotals& target) {
  JsonObject object(out);
  if (target.pid != 0) object.number("pid", static_cast<uint64_t>(target.pid));
  object.text("comm", target.comm);
  object.text("exe", target.exe);
  object.text("runtime", target.runtime);
  object.number("resizes", target.resizes);
  object.number("fatals", target.fatals);
  object.number("races", target.races);
  object.number("stall_ns", target.stall_ns);
  object.number("wall_ns", target.wall_ns);
  object.number("blocked_ns", target.blocked_ns);
  add_restructurings(object, target.restructurings);
}

void add_advice(JsonObject& out, const SiteTotals& site) {
  const Advice& given = *site.advice;
  out.text("text", advice(site));
  out.number("reserve", given.reserve.hint);
  if (given.reserve.holds != 0) out.number("holds", given.reserve.holds);
  out.number("slots", given.reserve.slots);
  out.number("growths", given.savings.growths);
  out.number("time_ns", given.savings.time_ns);
  out.number("bytes", given.savings.bytes);
  out.number("maps", given.maps);
  out.number("maps_beyond", given.beyond);
  if (given.beyond != 0) out.number("largest_reserve", given.largest.hint);
  out.number("maps_smaller", given.smaller);
  if (given.added_bytes != 0) out.number("added_bytes", given.added_bytes);
}

void add_cause(JsonObject& object, const std::optional<PauseCause>& cause) {
  if (!cause) return;
  JsonObject by(object.member("cause"));
  by.number("pid", static_cast<uint64_t>(cause->pid));
  by.text("comm", cause->comm);
}

void add_paused(std::string& out, const WatchTimes::Total& paused) {
  JsonObject object(out);
  object.number("pid", static_cast<uint64_t>(paused.pid));
  object.text("comm", paused.comm);
  object.text("exe", paused.exe);
  object.number("present_ns", paused.present_ns);
  object.number("watched_ns", paused.watched_ns);
  object.text("reason", "overhead_budget");
  add_cause(object, paused.cause);
}

void add_inserts(std::string& out, const InsertCounts& counts) {
  JsonObject object(out);
  object.text("process", counts.process);
  object.text("runtime", counts.runtime);
  object.text("map_type", counts.map_type);
  object.number("inserts", counts.count);
  if (!counts.timed) return;
  object.number("steady", counts.steady);
  object.number("steady_ns", counts.steady_ns);
  object.number("during_resize", counts.during_resize);
  object.number("during_resize_ns", counts.during_resize_ns);
}

}  // namespace

void append_resize_json(std::string& out, const Resize& resize, std::string_view time) {
  JsonObject event(out);
  event.text("event", "resize");
  event.text("time", time);
  add_origin(event, resize, resize.tid, resize.comm);
  add_map(event, resize.map_addr, resize.map_type);
  event.text("kind", resize.kind);
  event.text("trigger", resize.trigger);
  event.number("old_slots", resize.old_slots);
  event.number("new_slots", resize.new_slots);
  event.number("entries", resize.entries);
  event.number("new_bytes", resize.new_bytes);
  event.number("old_directory", resize.old_directory);
  event.number("new_directory", resize.new_directory);
  if (resize.level) event.number("level", *resize.level);
  event.number("misses", resize.misses);
  if (resize.ended_by_clear) event.boolean("ended_by_clear", true);
  event.number("begin_ns", resize.begin_ns);
  event.number("wall_ns", resize.wall_ns);
  event.number("stall_ns", resize.stall_ns);
  add_thread(event, resize);
  if (resize.blocked) {
    event.number("blocked_threads", resize.blocked->threads);
    event.number("blocked_ns", resize.blocked->ns);
  }
  add_goroutine(event, resize.goroutine);
  // Where no symbols are: the map's own code is no call site.
  if (resize.stack == nullptr && resize.site_address() != 0)
    JsonObject(event.member("site")).address("addr", resize.site_address());
  if (const Frame* own = resize.own_frame()) add_frame(event.member("own_site"), *own);
  add_stack(event, resize.stack);
}

void append_fatal_json(std::string& out, const Fatal& fatal, std::string_view time) {
  JsonObject event(out);
  event.text("event", "fatal");
  event.text("time", time);
  add_origin(event, fatal, fatal.tid, fatal.comm);
  add_map(event, fatal.map_addr, {});
  event.text("message", fatal.message);
  event.boolean("is_first", fatal.is_first);
  event.number("time_ns", fatal.time_ns);
  add_goroutine(event, fatal.goroutine);
  add_last_growth(event, fatal);
  add_stack(event, fatal.stack);
}

void append_race_json(std::string& out, const Race& race, std::string_view time) {
  JsonObject event(out);
  event.text("event", "race");
  event.text("time", time);
  add_origin(event, race, std::nullopt, race.comm);
  add_map(event, race.map_addr, race.map_type);
  add_writer(event, "first", race.first);
  add_writer(event, "second", race.second);
}

void append_doubling_json(std::string& out, const Doubling& doubling, std::string_view time) {
  JsonObject event(out);
  event.text("event", "doubling");
  event.text("time", time);
  add_origin(event, doubling, std::nullopt, {});
  add_map(event, doubling.map_addr, doubling.map_type);
  event.number("old_slots", doubling.old_slots);
  event.number("new_slots", doubling.new_slots);
  event.number("splits", doubling.splits);
  event.number("begin_ns", doubling.begin_ns);
  event.number("end_ns", doubling.end_ns);
  event.number("stall_ns", doubling.stall_ns);
}

void append_target_json(std::string& out, const Target& target, std::string_view time) {
  JsonObject event(out);
  event.text("event", time.empty() ? std::string_view() : "target");
  event.text("time", time);
  event.number("pid", static_cast<uint64_t>(target.pid));
  event.text("comm", target.comm);
  event.text("exe", target.exe);
  event.text("build_id", target.build_id);
  if (target.runtime != nullptr) event.text("runtime", target.runtime->name);
  event.text("version", target.version);
  if (target.unverified) event.boolean("unverified", true);
  add_container(event, target);
  event.text("state", to_string(target.state));
  if (target.state == TargetState::kAttached) event.number("probes", target.probes);
  event.text("reason", target.reason);
  if (target.programs.size() > 1) add_array(event, "programs", target.programs, add_program);
  if (target.unseen.empty()) return;
  add_array(event, "unseen", target.unseen, [](std::string& to, const std::string& what) {
    to += '"';
    append_json_escaped(to, what);
    to += '"';
  });
}

void append_pause_json(std::string& out, const Pause& pause, std::string_view time) {
  JsonObject event(out);
  event.text("event", "pause");
  event.text("time", time);
  add_process(event, *pause.target, {});
  add_container(event, *pause.target);
  event.text("state", pause.begins ? "begin" : "end");
  event.number("time_ns", pause.time_ns);
  event.number("until_ns", pause.until_ns);
  event.text("reason", "overhead_budget");
  add_cause(event, pause.cause);
}

void append_inserts_json(std::string& out, const InsertReport& report, std::string_view time) {
  JsonObject event(out);
  event.text("event", "inserts");
  event.text("time", time);
  event.number("time_ns", report.time_ns);
  add_array(event, "inserts", report.counts, add_inserts);
}

void append_site_json(std::string& out, const SiteTotals& site) {
  JsonObject object(out);
  object.text("process", site.process);
  object.text("exe", site.exe);
  object.text("runtime", site.runtime);
  object.text("map_type", site.map_type);
  object.text("function", site.function);
  object.text("file", site.file);
  if (site.line != 0) object.number("line", site.line);
  object.address("addr", site.address);
  if (!site.own_function.empty()) {
    JsonObject own(object.member("own_site"));
    own.text("function", site.own_function);
    own.text("file", site.own_file);
    if (site.own_line != 0) own.number("line", site.own_line);
  }
  object.number("resizes", site.resizes);
  object.number("growths", site.growths);
  object.number("maps", site.maps);
  object.number("stall_ns", site.stall_ns);
  object.number("wall_ns", site.wall_ns);
  object.number("cost_ns", site.cost_ns);
  if (site.untimed != 0) object.number("untimed", site.untimed);
  object.number("blocked_ns", site.blocked_ns);
  object.number("blocked_threads", site.blocked_threads);
  if (site.max_new_slots != 0) object.number("max_new_slots", site.max_new_slots);
  if (site.max_entries != 0) object.number("max_entries", site.max_entries);
  add_restructurings(object, site.restructurings);
  if (site.origin.standard_library) object.boolean("standard_library", true);
  if (site.origin.at_init) object.boolean("at_init", true);
  if (!site.advice) return;
  JsonObject saved(object.member("advice"));
  add_advice(saved, site);
}

void append_summary_json(std::string& out, const Summary& summary, std::string_view time) {
  JsonObject event(out);
  event.text("event", "summary");
  event.text("time", time);
  event.number("watched_ns", summary.watched_ns);
  add_array(event, "targets", summary.targets, add_target_totals);
  add_array(event, "sites", summary.sites, append_site_json);
  if (!summary.paused.empty()) add_array(event, "paused", summary.paused, add_paused);
  if (!summary.inserts.empty()) add_array(event, "inserts", summary.inserts, add_inserts);
  if (summary.hidden != 0) event.number("hidden_resizes", summary.hidden);
  JsonObject lost(event.member("lost"));
  for (const auto& [reason, count] : summary.lost) {
    if (count != 0) lost.number(reason, count);
  }
}

}  // namespace mapscope
