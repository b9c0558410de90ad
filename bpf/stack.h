/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* bpf/stack.h – samples of stacks: the frames of a goroutine, walked here by frame pointer; of anything else a copy of
 * the stack's top, which user space unwinds.
 */
#ifndef MAPSCOPE_STACK_H
#define MAPSCOPE_STACK_H

#include "bpf/goroutine.h"

/* Defined in probe.bpf.c. */
extern __u64 last_stack_id;

static __always_inline __u64 next_stack_id(void)
{
	return __sync_fetch_and_add(&last_stack_id, 1) + 1;
}

struct frame_walk {
	struct ms_frames_record *record;
	__u64 fp;
	__u64 lo;
	__u64 hi;
	__u32 first; /* index in frames[] of the first one walked to */
	__u32 count;
};

static long walk_frame(__u32 index, struct frame_walk *walk)
{
	__u64 frame[2]; /* the caller's frame pointer, the return address */
	__u32 at = walk->first + index;

	if (walk->fp < walk->lo || walk->fp + sizeof(frame) > walk->hi ||
	    bpf_probe_read_user(frame, sizeof(frame), (void *)walk->fp) || !frame[1])
		return 1;
	barrier_var(at);
	if (at >= MS_MAX_FRAMES)
		return 1;
	walk->record->frames[at] = frame[1];
	walk->count = at + 1;
	/* Stacks grow down: a caller's frame is higher. */
	if (frame[0] <= walk->fp)
		return 1;
	walk->fp = frame[0];
	return 0;
}

struct frame_start {
	__u64 ip;
	__u64 caller; /* 0: the frame pointer is the function's own */
	__u64 fp;
	__u64 lo; /* of the stack */
	__u64 hi;
};

/* Of the probe whose descriptor and load bias these are. Returns the sample's number, 0 when it did not fit. */
static __always_inline __u64 sample_frames(const struct hit *hit, const struct frame_start *start, __u32 descriptor,
					   __u64 load_bias, __u64 now)
{
	struct ms_frames_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	struct frame_walk walk = {.record = record, .fp = start->fp, .lo = start->lo, .hi = start->hi};
	__u64 stack_id;

	if (!record) {
		drop(MS_DROP_RING_STACK);
		return 0;
	}
	stack_id = next_stack_id();
	fill_header(&record->header, hit, MS_RECORD_FRAMES);
	record->stack_id = stack_id;
	record->time_ns = now;
	record->descriptor = descriptor;
	record->load_bias = load_bias;
	record->frames[0] = start->ip;
	record->frames[1] = start->caller;
	walk.first = walk.count = start->caller ? 2 : 1;
	bpf_loop(MS_MAX_FRAMES, walk_frame, &walk, 0);
	record->frame_count = walk.count;
	bpf_ringbuf_submit(record, ring_flags());
	return stack_id;
}

/* A copy of the stack's top, for user space to unwind. */
static __always_inline __u64 copy_stack(const struct hit *hit, const char *text, __u64 stack_id, __u64 now)
{
	struct ms_stack_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	__u32 bytes = 0;

	if (!record) {
		drop(MS_DROP_RING_STACK);
		return 0;
	}
	fill_header(&record->header, hit, MS_RECORD_STACK);
	record->stack_id = stack_id;
	record->time_ns = now;
	bpf_probe_read_kernel(record->registers, sizeof(record->registers), &hit->regs);
	/* By chunks: the end of the stack may be near. */
#pragma unroll
	for (__u32 at = 0; at < MS_STACK_BYTES; at += MS_STACK_CHUNK_BYTES) {
		if (bpf_probe_read_user(record->stack + at, MS_STACK_CHUNK_BYTES, (void *)(hit->regs.sp + at)))
			break;
		bytes = at + MS_STACK_CHUNK_BYTES;
	}
	if (!bytes)
		drop(MS_DROP_STACK_UNREADABLE);
	record->stack_bytes = bytes;
	record->descriptor = hit->index;
	record->load_bias = load_bias_of(hit);
	if (text)
		__builtin_memcpy(record->text, text, MS_TEXT_BYTES);
	else
		__builtin_memset(record->text, 0, MS_TEXT_BYTES);
	bpf_ringbuf_submit(record, ring_flags());
	return stack_id;
}

static __always_inline __u64 sample_goroutine(const struct hit *hit, const struct ms_goroutine *goroutine, __u64 now)
{
	struct frame_start start = {.ip = hit->regs.ip, .fp = hit->regs.bp};

	start.caller = read_caller(hit);
	start.lo = goroutine->stack_lo;
	start.hi = goroutine->stack_hi;
	return sample_frames(hit, &start, hit->index, load_bias_of(hit), now);
}

static __always_inline __u64 sample_stack(const struct hit *hit, const struct ms_goroutine *goroutine, const char *text,
					  __u64 now)
{
	if (hit->image->goroutines.source)
		return sample_goroutine(hit, goroutine, now);
	return copy_stack(hit, text, next_stack_id(), now);
}

#endif /* MAPSCOPE_STACK_H */
