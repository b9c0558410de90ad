/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* bpf/caller.h – which code is responsible for the growth of a Go map: the first frame outside the runtime.
 *
 * Found at every growth, by frame pointer; of a file whose runtime code is not known it is not looked for. What cannot
 * be walked is unknown, never an address of the runtime.
 */
#ifndef MAPSCOPE_CALLER_H
#define MAPSCOPE_CALLER_H

#include "bpf/goroutine.h"

/* Frames of the runtime between a map's growth and who caused it: 2 or 3 from an insert, 8 from reflect and encoding.
 */
#define CALLER_STEPS 16

/* The offset is from the start of the file's text. Without a branch at each step, of which the verifier would go both
 * ways; and so it does, since 6.12, where a mask of all bits or none meets a constant.
 */
static __always_inline bool is_runtime_text(const struct ms_image *image, __u64 offset)
{
	__u64 below = 0; /* ranges that begin at or below the offset */

	if (offset >= image->text_bytes)
		return false;
#pragma unroll
	for (__u64 step = MS_TEXT_RANGES / 2; step; step >>= 1) {
		__u64 at = below + step - 1;
		__u64 begins; /* 1: at or below the offset */

		/* Linux 6.1 knows a bound only where it sees the mask beside the access. */
		barrier_var(at);
		at &= MS_TEXT_RANGES - 1;
		begins = ~(offset - image->runtime_text[at].begin) >> 63;
		below += step * begins;
	}
	if (!below)
		return false;
	below--;
	barrier_var(below);
	below &= MS_TEXT_RANGES - 1;
	return offset < image->runtime_text[below].end;
}

/* Reads what lies on a stack with this end. */
static __always_inline bool read_stack(void *out, __u64 bytes, __u64 address, __u64 end)
{
	return address < end && end - address >= bytes && !bpf_probe_read_user(out, bytes, (void *)address);
}

/* Of a goroutine's growth; 0: unknown. A function of its own, global, so that it is verified once and by itself. `text`
 * is where the file's code begins in this process.
 */
__weak __noinline __u64 walk_caller(const struct registers *regs, const struct ms_goroutine *goroutine,
				    const struct ms_image *image, __u64 text, __u32 is_at_entry)
{
	__u64 frame[2]; /* the frame pointer of who called, and where that goes on */
	__u64 address, fp;

	if (!regs || !goroutine || !image || regs->words[MS_REG_SP] < goroutine->stack_lo)
		return 0;
	address = regs->words[MS_REG_IP];
	/* The probed function is the innermost frame. At its entry it is the map's own, and its caller's frame pointer
	 * is still in place; elsewhere the map's code may be a copy in another function.
	 */
	if (is_at_entry) {
		if (!read_stack(&frame[1], sizeof(frame[1]), regs->words[MS_REG_SP], goroutine->stack_hi) || !frame[1])
			return 0;
		address = frame[1] - 1;
	}
	if (!is_runtime_text(image, address - text))
		return address;
	fp = regs->words[MS_REG_BP];
	if (fp < regs->words[MS_REG_SP])
		return 0;
	for (__u32 step = 0; step < CALLER_STEPS; step++) {
		if (!read_stack(frame, sizeof(frame), fp, goroutine->stack_hi) || !frame[1])
			return 0;
		if (!is_runtime_text(image, frame[1] - 1 - text))
			return frame[1] - 1;
		/* Stacks grow down: a caller's frame is higher. */
		if (frame[0] <= fp)
			return 0;
		fp = frame[0];
	}
	return 0;
}

static __always_inline void fill_caller(struct ms_resize_record *record, const struct hit *hit,
					const struct ms_goroutine *goroutine)
{
	__u64 vaddr;

	record->load_bias = load_bias_of(hit);
	if (!hit->image->goroutines.source) {
		record->caller = read_caller(hit);
		return;
	}
	if (hit->image->runtime_count)
		record->caller =
			walk_caller((const struct registers *)&hit->regs, goroutine, hit->image,
				    record->load_bias + hit->image->text, hit->descriptor->flags & MS_AT_ENTRY);
	barrier();
	vaddr = record->caller - record->load_bias;
	if (vaddr - hit->image->text < hit->image->text_bytes) {
		record->flags |= MS_RESIZE_CALLER_IN_FILE;
		record->caller = vaddr;
	}
}

#endif /* MAPSCOPE_CALLER_H */
