/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* bpf/goroutine.h – the goroutine that hits a probe: which it is, and who it is to others.
 *
 * A goroutine may be on another thread at the end of a resize than at its beginning, so what belongs to one call is
 * keyed by it. Its stack moves when it grows, and with it every map on it: such a map is known by its distance from the
 * top.
 */
#ifndef MAPSCOPE_GOROUTINE_H
#define MAPSCOPE_GOROUTINE_H

#include "bpf/hit.h"

#define G_STACK_LO 0
#define G_STACK_HI 8
#define G_M 48
#define P_SCHEDTICK 16
#define MS_GOLDEN 0x9e3779b97f4a7c15ULL

static __always_inline __u64 read_user_word(__u64 address)
{
	__u64 word = 0;

	if (address)
		bpf_probe_read_user(&word, sizeof(word), (void *)address);
	return word;
}

/* Address of the current g; 0 in code without goroutines. */
static __always_inline __u64 current_g(const struct ms_image *image, __u64 r14)
{
	if (image->goroutines.source == MS_GOROUTINE_REGISTER)
		return r14;
	if (image->goroutines.source == MS_GOROUTINE_TLS)
		return read_user_word(BPF_CORE_READ(bpf_get_current_task_btf(), thread.fsbase) - 8);
	return 0;
}

static __always_inline struct actor_key actor_of(const struct hit *hit)
{
	struct actor_key key = {.target = hit->target->id};
	__u64 g = current_g(hit->image, hit->regs.r14);

	key.actor = g ? g : hit->tid;
	return key;
}

static __always_inline __u32 hash_of(__u64 number)
{
	return (__u32)((number * MS_GOLDEN) >> 40);
}

/* An insert that pays for a resize is told apart from one that does not. */
static __always_inline void mark_insert(const struct actor_key *actor)
{
	__u32 index = hash_of(actor->actor) % MS_STARTS;
	struct insert_start *start = bpf_map_lookup_elem(&insert_starts, &index);

	if (start && start->actor == actor->actor && start->target == actor->target)
		start->resized = 1;
}

static __always_inline void read_goroutine(const struct hit *hit, struct ms_goroutine *out)
{
	const struct ms_goroutine_layout *layout = &hit->image->goroutines;
	__u64 g = current_g(hit->image, hit->regs.r14), m;

	if (!g)
		return;
	m = read_user_word(g + G_M);
	bpf_probe_read_user(&out->id, sizeof(out->id), (void *)(g + layout->goid));
	if (!out->id && m) {
		/* On the thread's own stack: the goroutine it serves. */
		g = read_user_word(m + layout->m_curg);
		bpf_probe_read_user(&out->id, sizeof(out->id), (void *)(g + layout->goid));
	}
	out->g = g;
	out->stack_lo = read_user_word(g + G_STACK_LO);
	out->stack_hi = read_user_word(g + G_STACK_HI);
	out->start_pc = read_user_word(g + layout->start_pc);
	out->m = read_user_word(m + layout->m_id);
	bpf_probe_read_user(&out->status, sizeof(out->status), (void *)(g + layout->status));
}

/* Changes when another goroutine was given the P of this one. */
static __always_inline __u32 read_schedtick(const struct hit *hit)
{
	__u64 g = current_g(hit->image, hit->regs.r14);
	__u32 tick = 0;

	if (g && hit->image->goroutines.m_p) {
		__u64 p = read_user_word(read_user_word(g + G_M) + hit->image->goroutines.m_p);

		bpf_probe_read_user(&tick, sizeof(tick), (void *)(p + P_SCHEDTICK));
	}
	return tick;
}

/* What pairs begin and end. */
static __always_inline struct ms_open_key key_of(const struct hit *hit, const __u64 *values, __u8 valid)
{
	struct ms_open_key key = {.target = hit->target->id};
	struct actor_key actor = actor_of(hit);
	__u64 lo, hi;

	key.key = field_or(values, valid, hit->descriptor->key_field, actor.actor);
	if (hit->descriptor->key_field == MS_NO_FIELD || !hit->image->goroutines.source)
		return key;
	lo = read_user_word(actor.actor + G_STACK_LO);
	hi = read_user_word(actor.actor + G_STACK_HI);
	if (key.key >= lo && key.key < hi)
		key.key = ((hi - key.key) * MS_GOLDEN) ^ actor.actor;
	return key;
}

#endif /* MAPSCOPE_GOROUTINE_H */
