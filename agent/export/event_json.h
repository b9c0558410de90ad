// SPDX-License-Identifier: Apache-2.0
// agent/export/event_json.h – the JSON objects of event lines and of /api/v1, as text.
//
// Rules. Durations are integers in ns, CLOCK_MONOTONIC for begin_ns and time_ns; sizes are slots
// unless the name ends in _bytes; addresses are "0x…" strings; "time" is RFC 3339 in UTC with nine
// decimals. A value that is not known has no member: no null, and no 0 or "" in its place. Bytes of
// a target that are not UTF-8 become U+FFFD. Behind "version" stands "unverified":true where the
// target's Go is newer than those that were checked; behind the process, container_id and pod_uid
// where it is in a container.
//
//   resize   event time pid tid comm exe runtime version map{addr type} kind trigger old_slots
//            new_slots entries new_bytes old_directory new_directory level misses ended_by_clear
//            begin_ns wall_ns stall_ns states_of running_ns runnable_ns sleeping_ns
//            uninterruptible_ns minor_faults major_faults switches blocked_threads blocked_ns
//            goroutine{} site stack[]. time and tid are those of the begin. The four states sum to
//            the wall time, or with "states_of":"stall" to the stall; faults and switches are of
//            the same time. old_slots and new_slots are of the map, but of a table where there is a
//            level.
//   fatal    event time pid tid comm exe runtime version map{addr} message is_first time_ns
//            goroutine{} last_growth{begin_ns new_slots growing} site stack[]. is_first: of its
//            process; in Go several goroutines may die of one misuse, and each says so. growing is
//            there only when it is true: the growth had begun and not ended, and new_slots is not
//            known yet. It is known of growths that are paired by their map, which those of Go's
//            swiss maps are not.
//   race     event time pid comm exe runtime version map{} first{tid goid begin_ns site stack[]}
//            second{…}. time and comm are of the second, who came in while the first was inside.
//   doubling event time pid comm exe runtime version map{} old_slots new_slots splits begin_ns
//            end_ns stall_ns. time is that of the last split.
//   pause    event time pid comm exe runtime version state time_ns until_ns reason cause{pid comm}.
//            state is begin or end; between them the process is not watched. cause is there when
//            another process that runs the same file is why.
//   inserts  event time time_ns inserts[]: once a second with --mode inserts, since the agent began
//   target   event time pid comm exe build_id runtime version state probes reason unseen[]
//            programs[]{path build_id runtime version}: the probed files, where there are several
//   summary  event time watched_ns targets[] sites[] paused[] inserts[] hidden_resizes lost{reason:
//            count}. hidden_resizes had no line because of --min-stall; paused, inserts and
//            hidden_resizes are there when there were any.
//   frame    function file line; where the function is not known instead addr and module.
//            site is the frame of the call site, absent when that is not known; stack[] all frames,
//            innermost first, of this resize or of the last one of the same call site and map type,
//            absent while there was none. Of a site without symbols addr alone may be known.
//            own_site of a resize: the nearest frame of the program's own module (Go's main module)
//            that led to a site outside of it.
//   goroutine  id status stack_bytes stack_lo stack_hi m start_function: at the begin.
//   site of summary and /api/v1/sites: process exe runtime map_type function file line addr
//            own_site{} resizes growths maps stall_ns wall_ns cost_ns blocked_ns blocked_threads
//            max_new_slots max_entries, untimed (resizes whose stall is not known), promotions
//            misses rebuilds expansions where there were any, and advice{text reserve holds slots
//            growths time_ns bytes maps maps_beyond largest_reserve maps_smaller added_bytes} when
//            a map grew there (agent/model/advice.h says what is counted): made for `reserve`
//            entries, the fewest that do it, a map holds `holds`. standard_library and at_init are
//            there only when they are true.
//   paused of summary: pid comm exe present_ns watched_ns reason cause{pid comm}: those that were
//            not watched all the time that they were there.
//   inserts: process runtime map_type inserts, and where they are timed steady steady_ns
//            during_resize during_resize_ns: how many, and how long all of them took.
//   target of summary: pid comm exe runtime resizes fatals races stall_ns wall_ns blocked_ns, and
//            promotions misses rebuilds expansions likewise.
//
// Threads: pure; each appends one object without a line feed to `out`.
#pragma once

#include <string>
#include <string_view>

#include "agent/export/summary.h"
#include "agent/model/insert_report.h"
#include "agent/model/pause.h"
#include "agent/model/resize.h"
#include "agent/model/site_table.h"

namespace mapscope {

// `time` is the RFC 3339 text of the event's time.
void append_resize_json(std::string& out, const Resize& resize, std::string_view time);
void append_fatal_json(std::string& out, const Fatal& fatal, std::string_view time);
void append_race_json(std::string& out, const Race& race, std::string_view time);
void append_doubling_json(std::string& out, const Doubling& doubling, std::string_view time);
void append_target_json(std::string& out, const Target& target, std::string_view time);
void append_pause_json(std::string& out, const Pause& pause, std::string_view time);
void append_inserts_json(std::string& out, const InsertReport& report, std::string_view time);
void append_summary_json(std::string& out, const Summary& summary, std::string_view time);
void append_site_json(std::string& out, const SiteTotals& site);

}  // namespace mapscope
