// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* bpf/insert.bpf.c – every insert, counted, and in Go timed, by map type. Nothing is sent: counters only.
 *
 * These run at every insert, so they read registers in place and touch arrays only. Counts are exact; a time is lost
 * when two goroutines inside inserts share a place of insert_starts, or a thread loses its CPU while it adds one. An
 * insert that panics is counted and has no time: what it leaves in insert_starts is its goroutine's, and every end
 * comes after a begin of the same goroutine, which takes the place.
 */
#include "bpf/goroutine.h"

/* Of insert_types, less one. Set by the agent. */
const volatile __u32 insert_type_mask = MS_INSERT_TYPES - 1;

/* Without a copy of all registers: those that hold arguments, the stack pointer and g. */
static __always_inline __u64 register_in_place(const struct pt_regs *ctx, __u32 reg)
{
	__u64 ax = ctx->ax, bx = ctx->bx, cx = ctx->cx, sp = ctx->sp;

	/* Loaded one by one: the verifier refuses a load from a chosen place of the context. */
	barrier_var(ax);
	barrier_var(bx);
	barrier_var(cx);
	barrier_var(sp);
	switch (reg) {
	case MS_REG_AX:
		return ax;
	case MS_REG_BX:
		return bx;
	case MS_REG_CX:
		return cx;
	case MS_REG_SP:
		return sp;
	default:
		return 0;
	}
}

static __always_inline __u64 field_in_place(const struct pt_regs *ctx, const struct ms_field *field)
{
	__u64 at = register_in_place(ctx, field->reg);

	if (field->derefs)
		at = read_user_word(at + field->offset[0]);
	return field->derefs > 1 ? read_user_word(at + field->offset[1]) : at;
}

/* The entry of a type on this CPU; NULL when its places are taken by others, or it is not there and not to be made. */
static __always_inline struct ms_insert_type *entry_of(const struct insert_start *start, bool make)
{
	__u64 type = start->type;
	__u32 target = start->target, hash = hash_of(type ^ target);

#pragma unroll
	for (__u32 i = 0; i < MS_TYPE_PROBES; i++) {
		__u32 index = (hash + i) & insert_type_mask;
		struct ms_insert_type *entry = bpf_map_lookup_elem(&insert_types, &index);

		if (!entry)
			return NULL;
		if (entry->target == target && entry->type == type)
			return entry;
		if (!entry->target && !make)
			return NULL;
		if (!entry->target) {
			entry->type = type;
			entry->image = start->image;
			entry->load_bias = start->load_bias;
			entry->target = target;
			return entry;
		}
	}
	return NULL;
}

/* Counts the hit; returns the time when this is one of those that are measured, else 0. */
static __always_inline __u64 meter_insert(struct ms_overhead *overhead, const struct ms_descriptor *descriptor)
{
	__u32 site_class = descriptor->flags >> MS_SITE_CLASS_SHIFT;

	if (site_class >= MS_SITE_CLASSES)
		return 0;
	return overhead->hits[site_class]++ & (MS_METER_EVERY - 1) ? 0 : bpf_ktime_get_ns();
}

static __always_inline void count(struct pt_regs *ctx, const struct ms_target *target,
				  const struct ms_descriptor *descriptor)
{
	struct insert_start begun = {.target = target->id, .image = descriptor->image};
	const struct ms_image *image;
	struct ms_insert_type *entry;
	struct insert_start *start;
	__u32 index;

	if (!descriptor->field_count) {
		count_up(&inserts, target->slot);
		return;
	}
	image = image_of(descriptor);
	if (!image)
		return;
	begun.type = field_in_place(ctx, &descriptor->fields[0]);
	begun.load_bias = ctx->ip - descriptor->vaddr;
	entry = entry_of(&begun, true);
	if (entry) {
		__sync_fetch_and_add(&entry->count, 1);
	} else {
		count_up(&inserts, target->slot);
		drop(MS_DROP_TYPES_FULL);
	}
	begun.actor = current_g(image, ctx->r14);
	index = hash_of(begun.actor) % MS_STARTS;
	start = bpf_map_lookup_elem(&insert_starts, &index);
	if (!start)
		return;
	begun.tgid = bpf_get_current_pid_tgid() >> 32;
	/* fields[2]: not 0 while a resize of the map is under way. */
	begun.resized = descriptor->field_count > 2 && field_in_place(ctx, &descriptor->fields[2]);
	begun.begin_ns = bpf_ktime_get_ns();
	*start = begun;
}

SEC("?uprobe")
int count_insert(struct pt_regs *ctx)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32, index;
	struct ms_target *target = bpf_map_lookup_elem(&targets, &tgid);
	const struct ms_descriptor *descriptor;
	struct ms_overhead *overhead;
	__u64 began_ns;

	keep_own_stack(ctx);
	if (!target)
		return 0;
	index = (__u32)bpf_get_attach_cookie(ctx);
	descriptor = bpf_map_lookup_elem(&descriptors, &index);
	index = target->slot;
	overhead = bpf_map_lookup_elem(&overheads, &index);
	if (!descriptor || !overhead)
		return 0;
	began_ns = meter_insert(overhead, descriptor);
	if (!(ctx->flags & descriptor->skip_eflags))
		count(ctx, target, descriptor);
	if (began_ns)
		overhead->program_ns += MS_METER_EVERY * run_time(began_ns);
	return 0;
}

static __always_inline __u32 log2_of(__u64 value)
{
	__u32 log = 0;

#pragma unroll
	for (__u32 shift = 16; shift; shift >>= 1) {
		if (value >> shift) {
			value >>= shift;
			log += shift;
		}
	}
	return log;
}

static __always_inline struct insert_start *start_at(__u64 actor, __u32 tgid)
{
	__u32 index = hash_of(actor) % MS_STARTS;
	struct insert_start *start = bpf_map_lookup_elem(&insert_starts, &index);

	return start && actor && start->actor == actor && start->tgid == tgid ? start : NULL;
}

/* Go has g in r14 since 1.17: then the file need not be looked up. */
static __always_inline struct insert_start *find_start(struct pt_regs *ctx, __u32 tgid)
{
	struct insert_start *start = start_at(ctx->r14, tgid);
	const struct ms_descriptor *descriptor;
	const struct ms_image *image;
	__u32 index;

	if (start)
		return start;
	index = (__u32)bpf_get_attach_cookie(ctx);
	descriptor = bpf_map_lookup_elem(&descriptors, &index);
	image = descriptor ? image_of(descriptor) : NULL;
	return image ? start_at(current_g(image, ctx->r14), tgid) : NULL;
}

/* Not atomic: nobody else adds on this CPU but a thread that takes it in the middle of an addition. */
static __always_inline void add_time(struct insert_start *start, __u64 now)
{
	struct ms_insert_type *entry = entry_of(start, false);
	__u32 phase, bucket, tgid = start->tgid;

	start->actor = 0;
	/* It began on another CPU. One that is gone must leave nothing behind. */
	if (!entry && bpf_map_lookup_elem(&targets, &tgid))
		entry = entry_of(start, true);
	if (!entry)
		return;
	phase = start->resized ? MS_DURING_RESIZE : MS_STEADY;
	now -= start->begin_ns;
	bucket = log2_of(now);
	barrier_var(bucket);
	if (bucket >= MS_TIME_BUCKETS)
		bucket = MS_TIME_BUCKETS - 1;
	entry->sum_ns[phase & 1] += now;
	entry->log2_ns[phase & 1][bucket]++;
}

/* One hit in MS_METER_EVERY stands for all. */
static __always_inline void meter_end(struct pt_regs *ctx, __u32 tgid, __u64 began_ns)
{
	struct ms_target *target = bpf_map_lookup_elem(&targets, &tgid);
	__u32 index = (__u32)bpf_get_attach_cookie(ctx);
	const struct ms_descriptor *descriptor = bpf_map_lookup_elem(&descriptors, &index);

	if (target && descriptor)
		add_use(target, descriptor, MS_METER_EVERY, MS_METER_EVERY * run_time(began_ns));
}

SEC("?uprobe")
int end_insert(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct insert_start *start = find_start(ctx, tgid);

	keep_own_stack(ctx);
	if (start)
		add_time(start, now);
	/* The lowest bits of the clock are as good as random. */
	if (!(now & (MS_METER_EVERY - 1)))
		meter_end(ctx, tgid, now);
	return 0;
}

struct clearing {
	__u32 target;
	__u32 cpu;
};

/* The owner goes last: until then nobody else takes the entry. */
static long clear_entry(__u32 index, struct clearing *clearing)
{
	struct ms_insert_type *entry = bpf_map_lookup_percpu_elem(&insert_types, &index, clearing->cpu);

	if (!entry || entry->target != clearing->target)
		return 0;
	entry->type = 0;
	entry->count = 0;
	__builtin_memset(entry->sum_ns, 0, sizeof(entry->sum_ns));
	__builtin_memset(entry->log2_ns, 0, sizeof(entry->log2_ns));
	barrier();
	entry->target = 0;
	return 0;
}

static long clear_cpu(__u32 cpu, struct clearing *clearing)
{
	clearing->cpu = cpu;
	bpf_loop(insert_type_mask + 1, clear_entry, clearing, 0);
	return 0;
}

/* Lets go of what a target has inserted, when it is gone and its counts are read. Here and not by the agent: it could
 * only write an entry of all CPUs at once, over what other targets count in the same place.
 */
SEC("syscall")
int clear_insert_types(struct ms_clear_inserts *argument)
{
	struct clearing clearing = {.target = argument->target};

	bpf_loop(argument->cpus, clear_cpu, &clearing, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
