/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* bpf/locks.h – who waits behind a resize: threads that sleep on a futex whose lock the resizing thread holds.
 *
 * glibc keeps the owner's tid near the futex word: pthread_mutex_t 8 bytes on (__owner after __lock, __count), and
 * pthread_rwlock_t 16 bytes after __wrphase_futex and 12 after __writers_futex (__cur_writer). glibc 2.31 to 2.41,
 * sysdeps/nptl/bits/struct_mutex.h and struct_rwlock.h. The lock is held from before the resize until after it, so who
 * waits at its end has waited since it began or since it went to sleep, whichever was later.
 */
#ifndef MAPSCOPE_LOCKS_H
#define MAPSCOPE_LOCKS_H

#include "bpf/maps.h"

static __always_inline bool owns_lock(__u64 address, __u32 tid)
{
	__u32 words[5];

	if (!address || bpf_probe_read_user(words, sizeof(words), (void *)address))
		return false;
	return words[2] == tid || words[3] == tid || words[4] == tid;
}

static __always_inline __u64 slept_ns(__u64 word, __u64 now)
{
	return ((word >> 16) + (word & 0xffff) * now) & MS_LOCK_TIME_MASK;
}

/* Looks among the locks that threads slept on lately; `since` leaves out those that are older. */
static __always_inline void remember_owned(struct open_resize *open, struct ms_target *target, __u32 tid, __u64 since,
					   bool from_zero)
{
	struct lock_key key = {.target = target->id};
	struct lock *lock;
	__u32 found = !!open->lock_address[0] + !!open->lock_address[1];

	/* Unrolled: 6.1 refuses the loop that clang 14 lays out ("back-edge"). */
#pragma unroll
	for (__u32 i = 0; i < MS_RECENT_LOCKS; i++) {
		key.address = target->recent_locks[i];
		/* A lock can be listed twice, after its entry was evicted. */
		if (found >= MS_OWNED_LOCKS || key.address == open->lock_address[0] || !owns_lock(key.address, tid))
			continue;
		lock = bpf_map_lookup_elem(&locks, &key);
		if (!lock || lock->created_ns < since)
			continue;
		open->lock_address[found & 1] = key.address;
		open->lock_word[found & 1] = from_zero ? 0 : lock->word;
		found++;
	}
}

/* Counts who waited from begin to now. Called once, by the resizing thread, while it still holds the lock. */
static __always_inline void close_locks(struct open_resize *open, struct ms_target *target, __u32 tid, __u64 now)
{
	struct ms_resize_record *record = &open->record;
	struct lock_key key = {.target = target->id};
	struct lock *lock;

	/* On these nobody had ever waited when the resize began: all of their history lies inside. A rwlock has two
	 * futexes, and the second is often new when the first is not.
	 */
	remember_owned(open, target, tid, record->begin_ns, true);
#pragma unroll
	for (__u32 i = 0; i < MS_OWNED_LOCKS; i++) {
		__u64 word, waited, before = open->lock_word[i];
		__u32 asleep_before, asleep_now;

		key.address = open->lock_address[i];
		if (!key.address)
			break;
		lock = bpf_map_lookup_elem(&locks, &key);
		if (!lock)
			continue;
		/* New since the resize began, maybe in the place of one that was evicted. */
		if (lock->created_ns > record->begin_ns)
			before = 0;
		word = lock->word;
		/* Less than nothing when a thread went to sleep after `now` was read and nobody had slept before. */
		waited = (slept_ns(word, now) - slept_ns(before, record->begin_ns)) & MS_LOCK_TIME_MASK;
		if (waited <= MS_LOCK_TIME_MASK / 2)
			record->blocked_ns += waited;
		/* Not the sleeps begun: a thread may be woken for nothing and sleep again. */
		asleep_before = before & 0xffff;
		asleep_now = word & 0xffff;
		record->blocked_threads += asleep_now > asleep_before ? asleep_now : asleep_before;
	}
	record->flags |= MS_RESIZE_BLOCKED_KNOWN;
}

#endif /* MAPSCOPE_LOCKS_H */
