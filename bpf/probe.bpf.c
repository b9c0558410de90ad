// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* bpf/probe.bpf.c – the generic uprobe programs. A descriptor says what to read; only the agent knows what it means.
 *
 * One program per kind of probe; the low half of the cookie is the descriptor's index. Processes that are not in
 * `targets` are left at once, because the kernel's own pid filter is wrong before 6.10.
 */
#define MS_DEFINE_MAPS
#include "bpf/caller.h"
#include "bpf/goroutine.h"
#include "bpf/locks.h"
#include "bpf/maps.h"
#include "bpf/stack.h"
#include "bpf/threads.h"

/* Token bucket for stack samples: one per interval, at most burst in advance. Set by the agent. */
const volatile __u64 stack_interval_ns = 20000000;
const volatile __u64 stack_burst_ns = 2000000000;

const volatile __u8 never = 0;

static const struct open_resize empty_resize;
__u64 last_stack_id;

/* A concurrent sample may pass too; that is one too many, never one too few to explain a resize. */
/* A copied stack is as large as ten records of resizes, which must not be lost for it. */
static __always_inline bool ring_has_room(const struct hit *hit)
{
	return hit->image->goroutines.source ||
	       bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) < bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE) / 8;
}

static __always_inline bool stack_allowed(const struct hit *hit, __u64 *due_ns, __u64 now)
{
	__u64 due = *due_ns;

	if (hit->descriptor->flags & MS_NO_STACK || due > now + stack_burst_ns || !ring_has_room(hit)) {
		drop(MS_DROP_STACK_LIMITED);
		return false;
	}
	*due_ns = (due > now ? due : now) + stack_interval_ns;
	return true;
}

static __always_inline struct open_resize *open_slot(const struct ms_open_key *key)
{
	struct open_resize *open = bpf_map_lookup_elem(&open_resizes, key);

	if (open) {
		drop(MS_DROP_SUPERSEDED);
		bpf_map_update_elem(&open_resizes, key, &empty_resize, BPF_EXIST);
	} else if (bpf_map_update_elem(&open_resizes, key, &empty_resize, BPF_NOEXIST)) {
		drop(MS_DROP_OPEN_FULL);
		return NULL;
	}
	return bpf_map_lookup_elem(&open_resizes, key);
}

static __always_inline void open_threads(struct open_resize *open, const struct hit *hit, const struct ms_open_key *key,
					 __u64 now)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct actor_key actor = actor_of(hit);

	open->minor_faults = task->min_flt;
	open->major_faults = task->maj_flt;
	if (!follow_thread(hit->tid, now) || !read_thread(hit->tid, &now, open->record.state_ns, &open->switches))
		open->record.flags |= MS_RESIZE_STATES_UNKNOWN;
	open->record.begin_ns = now;
	/* What is one call has no part of it that ends earlier. */
	if (hit->descriptor->key_field != MS_NO_FIELD)
		bpf_map_update_elem(&syncs, &actor, key, BPF_ANY);
	mark_insert(&actor);
}

PROBE_PROGRAM(begin_resize, 1)
{
	struct ms_open_key key;
	struct open_resize *open;
	struct ms_resize_record *record;
	__u64 values[MS_MAX_FIELDS] = {};
	__u64 stack_id = 0, now;
	__u8 valid;

	valid = read_fields(hit, values);
	key = key_of(hit, values, valid);
	open = open_slot(&key);
	if (!open)
		return;
	record = &open->record;
	read_text(hit->descriptor, values, valid, record->text);
	now = bpf_ktime_get_ns();
	read_goroutine(hit, &record->goroutine);
	if (stack_allowed(hit, &hit->target->stack_due_ns, now))
		stack_id = sample_stack(hit, &record->goroutine, record->text, now);
	fill_header(&record->header, hit, MS_RECORD_RESIZE);
	record->key = key.key;
	__builtin_memcpy(record->begin_fields, values, sizeof(values));
	record->begin_valid = valid;
	record->begin_descriptor = hit->index;
	record->stack_id = stack_id;
	fill_caller(record, hit, &record->goroutine);
	if (hit->descriptor->flags & MS_SYNC_PROBED)
		record->flags |= MS_RESIZE_SYNC_PROBED;
	record->cpu = bpf_get_smp_processor_id();
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	/* Last, so that what the probe itself cost is not in the resize. */
	now = bpf_ktime_get_ns();
	open->schedtick = read_schedtick(hit);
	if (!hit->image->goroutines.source)
		remember_owned(open, hit->target, own_tid(), 0, false);
	open_threads(open, hit, &key, now);
}

/* A goroutine that moved to another thread, or let others run on its own, leaves no trace in the threads' states. */
static __always_inline bool stayed_on_thread(const struct open_resize *open, const struct hit *hit)
{
	return !hit->image->goroutines.source ||
	       (open->record.header.tid == hit->tid && open->schedtick == read_schedtick(hit));
}

static __always_inline void close_threads(struct open_resize *open, const struct hit *hit, __u64 *now)
{
	struct ms_resize_record *record = &open->record;
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 current_minor = task->min_flt, current_major = task->maj_flt;
	__u64 minor = open->minor_faults, major = open->major_faults;
	__u64 state_ns[MS_THREAD_STATES];
	__u32 tid = record->header.tid, end_tid = hit->tid, switches = 0;
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);

	/* "same insn cannot be used with different pointers" (6.18) if clang 14 merges these loads with the thread's.
	 */
	barrier_var(current_minor);
	barrier_var(current_major);
	if (record->flags & MS_RESIZE_STATES_OF_SYNC)
		return;
	if (record->flags & MS_RESIZE_STATES_UNKNOWN || !stayed_on_thread(open, hit) || !thread ||
	    !read_thread(tid, now, state_ns, &switches)) {
		record->flags |= MS_RESIZE_STATES_UNKNOWN;
		return;
	}
#pragma unroll
	for (__u32 i = 0; i < MS_THREAD_STATES; i++)
		record->state_ns[i] = state_ns[i] - record->state_ns[i];
	record->switches = switches - open->switches;
	if (tid == end_tid) {
		minor = current_minor;
		major = current_major;
	} else if (record->switches) {
		minor = thread->minor_faults;
		major = thread->major_faults;
	}
	record->minor_faults = minor - open->minor_faults;
	record->major_faults = major - open->major_faults;
}

PROBE_PROGRAM(end_sync, 1)
{
	__u64 now = entered_ns;
	struct ms_open_key key, *found;
	struct open_resize *open;
	struct actor_key actor;

	actor = actor_of(hit);
	found = bpf_map_lookup_elem(&syncs, &actor);
	if (!found)
		return;
	key = *found;
	bpf_map_delete_elem(&syncs, &actor);
	open = bpf_map_lookup_elem(&open_resizes, &key);
	if (!open)
		return;
	if (hit->image->goroutines.source) {
		close_threads(open, hit, &now);
		open->record.flags |= MS_RESIZE_STATES_OF_SYNC;
	} else {
		close_locks(open, hit->target, own_tid(), now);
	}
	open->record.sync_ns = now;
}

PROBE_PROGRAM(end_resize, 1)
{
	__u64 now = entered_ns;
	struct ms_open_key key;
	struct open_resize *open;
	__u64 values[MS_MAX_FIELDS] = {};
	__u8 valid;

	valid = read_fields(hit, values);
	if (!counts(hit, values, valid))
		return;
	key = key_of(hit, values, valid);
	open = bpf_map_lookup_elem(&open_resizes, &key);
	if (!open) {
		if (!(hit->descriptor->flags & MS_QUIET))
			drop(MS_DROP_END_UNMATCHED);
		return;
	}
	close_threads(open, hit, &now);
	if (!hit->image->goroutines.source && !open->record.sync_ns && hit->tid == open->record.header.tid)
		close_locks(open, hit->target, own_tid(), now);
	open->record.end_ns = now;
	open->record.end_tid = hit->tid;
	open->record.end_descriptor = hit->index;
	open->record.end_valid = valid;
	__builtin_memcpy(open->record.end_fields, values, sizeof(values));
	if (bpf_ringbuf_output(&ring, &open->record, sizeof(open->record), ring_flags()))
		drop(MS_DROP_RING_RESIZE);
	bpf_map_delete_elem(&open_resizes, &key);
}

PROBE_PROGRAM(cancel_resize, 1)
{
	__u64 values[MS_MAX_FIELDS] = {};
	struct ms_open_key key;
	__u8 valid;

	valid = read_fields(hit, values);
	key = key_of(hit, values, valid);
	bpf_map_delete_elem(&open_resizes, &key);
}

/* A resize without duration: a record of its own that is sent at once; its stack is walked, not copied. */
PROBE_PROGRAM(report_point, 1)
{
	struct ms_resize_record *record;
	struct ms_goroutine goroutine = {};
	__u64 values[MS_MAX_FIELDS] = {};
	__u64 stack_id = 0;
	struct ms_open_key key;
	__u8 valid;

	valid = read_fields(hit, values);
	if (!counts(hit, values, valid))
		return;
	key = key_of(hit, values, valid);
	read_goroutine(hit, &goroutine);
	if (hit->image->goroutines.source && stack_allowed(hit, &hit->target->point_stack_due_ns, entered_ns))
		stack_id = sample_goroutine(hit, &goroutine, entered_ns);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		drop(MS_DROP_RING_RESIZE);
		return;
	}
	__builtin_memset(record, 0, sizeof(*record));
	fill_header(&record->header, hit, MS_RECORD_RESIZE);
	record->key = key.key;
	record->begin_ns = record->end_ns = entered_ns;
	record->begin_valid = valid;
	record->begin_descriptor = record->end_descriptor = hit->index;
	record->end_tid = hit->tid;
	record->flags = MS_RESIZE_POINT | MS_RESIZE_STATES_UNKNOWN;
	record->stack_id = stack_id;
	record->goroutine = goroutine;
	fill_caller(record, hit, &goroutine);
	__builtin_memcpy(record->begin_fields, values, sizeof(values));
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	bpf_ringbuf_submit(record, ring_flags());
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
