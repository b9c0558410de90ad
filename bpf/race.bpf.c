// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* bpf/race.bpf.c – two goroutines inside writes of one map at once, which no lock can have been between.
 *
 * An actor notes where it is (write_starts, at its own hash), then puts itself down as the map's writer (map_writers,
 * at the map's hash) by an atomic exchange. Who finds another there that is noted to be in the same map has met it
 * inside. A write also ends where its goroutine panics (runtime.gopanic). A stale note cannot accuse for long: it goes
 * with its owner's next write, with its goroutine's number, or with age.
 */
#include "bpf/stack.h"

#define STALE_NS 1000000000LL /* a write whose end was not seen */
#define REPORT_EVERY_NS 1000000000ULL

static __always_inline struct write_start *start_of(__u64 actor)
{
	__u32 index = hash_of(actor) % MS_STARTS;

	return bpf_map_lookup_elem(&write_starts, &index);
}

static __always_inline struct map_writer *writer_of(__u64 map)
{
	__u32 index = hash_of(map >> 3) % MS_STARTS;

	return bpf_map_lookup_elem(&map_writers, &index);
}

/* Whether the other was and, by its goroutine's number, still is what its note says. */
/* `begin_ns` may be a little later than `now`: both looked at the clock before they met. */
static __always_inline bool met(const struct hit *hit, const struct write_start *other, __u64 actor, __u64 map,
				__u64 now)
{
	__u64 goid = 0;

	if (other->actor != actor || other->map != map || other->target != hit->target->id ||
	    (__s64)(now - other->begin_ns) > STALE_NS)
		return false;
	bpf_probe_read_user(&goid, sizeof(goid), (void *)(actor + hit->image->goroutines.goid));
	return goid == other->goid;
}

static __always_inline void fill_start(struct write_start *start, const struct hit *hit,
				       const struct ms_goroutine *goroutine)
{
	start->actor = goroutine->g;
	start->goid = goroutine->id;
	start->load_bias = load_bias_of(hit);
	start->ip = hit->regs.ip;
	start->caller = read_caller(hit);
	start->fp = hit->regs.bp;
	start->lo = goroutine->stack_lo;
	start->hi = goroutine->stack_hi;
	start->target = hit->target->id;
	start->tid = hit->tid;
	start->descriptor = hit->index;
}

static __always_inline __u64 sample_start(const struct hit *hit, const struct write_start *at, __u64 now)
{
	struct frame_start start = {.ip = at->ip, .caller = at->caller, .fp = at->fp, .lo = at->lo, .hi = at->hi};

	return sample_frames(hit, &start, at->descriptor, at->load_bias, now);
}

static __always_inline void report_race(const struct hit *hit, const struct write_start *first,
					const struct write_start *second, const struct ms_goroutine *goroutine)
{
	__u64 now = second->begin_ns;
	__u64 first_stack = sample_start(hit, first, now), second_stack = sample_start(hit, second, now);
	struct ms_race_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (!record) {
		drop(MS_DROP_RING_RACE);
		return;
	}
	__builtin_memset(record, 0, sizeof(*record));
	fill_header(&record->header, hit, MS_RECORD_RACE);
	record->time_ns = now;
	record->map = second->map;
	record->map_type = second->type;
	record->load_bias = second->load_bias;
	record->first_begin_ns = first->begin_ns;
	record->first_stack_id = first_stack;
	record->stack_id = second_stack;
	record->goroutine = *goroutine;
	record->first_g = first->actor;
	record->first_goid = first->goid;
	record->first_tid = first->tid;
	record->first_descriptor = first->descriptor;
	record->descriptor = second->descriptor;
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
}

/* fields: the map's type, the map. */
PROBE_PROGRAM(begin_write, MS_METER_EVERY)
{
	__u64 values[MS_MAX_FIELDS] = {};
	struct ms_goroutine goroutine = {};
	struct write_start *mine, *other;
	struct map_writer *writer;
	__u64 before, map, now;

	read_fields(hit, values);
	read_goroutine(hit, &goroutine);
	map = values[1];
	mine = start_of(goroutine.g);
	writer = writer_of(map);
	/* A map on a stack has its address only until the stack moves, and is nobody else's. */
	if (!mine || !writer || !map || !goroutine.g || (map >= goroutine.stack_lo && map < goroutine.stack_hi))
		return;
	now = bpf_ktime_get_ns();
	fill_start(mine, hit, &goroutine);
	mine->type = values[0];
	mine->begin_ns = now;
	mine->map = map;
	before = __sync_lock_test_and_set(&writer->actor, goroutine.g);
	if (!before || before == goroutine.g || now - writer->reported_ns < REPORT_EVERY_NS)
		return;
	other = start_of(before);
	if (!other || !met(hit, other, before, map, now))
		return;
	writer->reported_ns = now;
	report_race(hit, other, mine, &goroutine);
}

PROBE_PROGRAM(end_write, MS_METER_EVERY)
{
	struct write_start *mine;
	struct map_writer *writer;
	__u64 actor;

	actor = current_g(hit->image, hit->regs.r14);
	mine = start_of(actor);
	if (!mine || mine->actor != actor || !mine->map)
		return;
	writer = writer_of(mine->map);
	mine->map = 0;
	if (writer)
		__sync_val_compare_and_swap(&writer->actor, actor, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
