// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* bpf/fatal.bpf.c – the end of a process by a misused map: which map failed the runtime's check, and what it said. */
#include "bpf/stack.h"

/* fields: the map. */
PROBE_PROGRAM(note_failed_check, 1)
{
	__u64 values[MS_MAX_FIELDS] = {};
	struct actor_key actor;

	if (!(read_fields(hit, values) & 1))
		return;
	actor = actor_of(hit);
	bpf_map_update_elem(&failed_checks, &actor, &values[0], BPF_ANY);
}

static __always_inline __u64 map_of(const struct hit *hit)
{
	struct actor_key actor = actor_of(hit);
	__u64 *map = bpf_map_lookup_elem(&failed_checks, &actor);

	return map ? *map : 0;
}

/* Known of resizes that are paired by the address of the map. */
static __always_inline __u64 growing_since(const struct hit *hit, __u64 map)
{
	struct ms_open_key key = {.target = hit->target->id, .key = map};
	struct open_resize *open = map ? bpf_map_lookup_elem(&open_resizes, &key) : NULL;

	return open ? open->record.begin_ns : 0;
}

PROBE_PROGRAM(report_fatal, 1)
{
	struct ms_fatal_record *record;
	__u64 values[MS_MAX_FIELDS] = {};
	struct ms_goroutine goroutine = {};
	__u64 stack_id;
	__u32 ordinal;
	__u8 valid;

	/* Several threads may notice the same misuse; the process dies once. Of goroutines, the one that the runtime
	 * names need not be the first. */
	ordinal = __sync_fetch_and_add(&hit->target->fatals, 1);
	if (ordinal >= (hit->image->goroutines.source ? MS_MAX_FATALS : 1))
		return;
	valid = read_fields(hit, values);
	read_goroutine(hit, &goroutine);
	/* Before the record that names it, in the order of the ring. */
	stack_id = sample_stack(hit, &goroutine, NULL, entered_ns);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		drop(MS_DROP_RING_FATAL);
		return;
	}
	__builtin_memset(record, 0, sizeof(*record));
	fill_header(&record->header, hit, MS_RECORD_FATAL);
	record->time_ns = entered_ns;
	record->stack_id = stack_id;
	record->map = field_or(values, valid, hit->descriptor->key_field, map_of(hit));
	record->growth_begin_ns = growing_since(hit, record->map);
	record->ordinal = ordinal;
	record->descriptor = hit->index;
	record->load_bias = load_bias_of(hit);
	record->goroutine = goroutine;
	read_text(hit->descriptor, values, valid, record->text);
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
