/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* bpf/threads.h – the times of a thread that resizes maps; bpf/thread_state.bpf.c keeps them. */
#ifndef MAPSCOPE_THREADS_H
#define MAPSCOPE_THREADS_H

#include "bpf/maps.h"

/* Thread times since the thread was first seen, up to now; false if they are unknown. If the thread has changed its
 * state since then, because the probe itself was preempted, they are up to that change, and now is set to it: what
 * they add up to is what the clock says.
 */
static __always_inline bool read_thread(__u32 tid, __u64 *now, __u64 *state_ns, __u32 *switches)
{
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);

	if (!thread)
		return false;
#pragma unroll
	for (int attempt = 0; attempt < 3; attempt++) {
		__u32 sequence = *(volatile __u32 *)&thread->sequence, state;
		__u64 since, until;

		/* Without barriers clang reads everything first and the sequence afterwards, twice. */
		barrier();
		state = thread->state;
		since = thread->since_ns;
		until = *now > since ? *now : since;
#pragma unroll
		for (__u32 i = 0; i < MS_THREAD_STATES; i++)
			state_ns[i] = thread->state_ns[i] + (i == state ? until - since : 0);
		*switches = thread->switches;
		barrier();
		if (!(sequence & 1) && sequence == *(volatile __u32 *)&thread->sequence) {
			*now = until;
			return true;
		}
	}
	return false;
}

static __always_inline bool follow_thread(__u32 tid, __u64 now)
{
	struct thread fresh = {.state = MS_RUNNING, .since_ns = now};

	if (bpf_map_lookup_elem(&threads, &tid))
		return true;
	if (!bpf_map_update_elem(&threads, &tid, &fresh, BPF_NOEXIST))
		return true;
	drop(MS_DROP_THREADS_FULL);
	return false;
}

#endif /* MAPSCOPE_THREADS_H */
