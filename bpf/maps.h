/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* bpf/maps.h – the maps and the kernel-side state that the programs share. probe.bpf.c defines them, the others refer.
 *
 * max_entries of most maps are set by the agent before load.
 */
#ifndef MAPSCOPE_MAPS_H
#define MAPSCOPE_MAPS_H

#include "bpf/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/wire.h"

#ifdef MS_DEFINE_MAPS
#define MS_MAP
#else
#define MS_MAP extern
#endif

#define MS_OWNED_LOCKS 2 /* a glibc rwlock has two futex words, a mutex one */

/* A resize that has begun: the record as it will be sent, and what is needed to finish it. */
struct open_resize {
	struct ms_resize_record record;
	__u64 lock_address[MS_OWNED_LOCKS]; /* futex words whose owner was the resizing thread at begin; 0: none */
	__u64 lock_word[MS_OWNED_LOCKS];    /* lock.word then */
	__u64 minor_faults;		    /* of the beginning thread then */
	__u64 major_faults;
	__u32 switches;
	__u32 schedtick; /* of the goroutine's P then; it tells whether other goroutines ran in between */
};

/* Where a thread was since its first resize. Written by the scheduler hooks of the CPU that runs, or wakes, the thread.
 */
struct thread {
	__u32 sequence; /* odd while being written */
	__u32 state;	/* enum ms_thread_state */
	__u64 since_ns;
	__u64 state_ns[MS_THREAD_STATES];
	__u64 minor_faults; /* at the last switch off a CPU */
	__u64 major_faults;
	__u32 switches;
	__u32 reserved;
};

/* A goroutine, or without those a thread, of one target. */
struct actor_key {
	__u32 target;
	__u32 reserved;
	__u64 actor;
};

/* An insert under way. */
struct insert_start {
	__u64 actor;
	__u64 begin_ns;
	__u64 type;
	__u64 load_bias; /* of the file of its probe */
	__u32 image;
	__u32 target;
	__u32 tgid;
	__u32 resized; /* a resize began inside it, or was under way in its map */
};

/* A write of a map under way. */
struct write_start {
	__u64 actor;
	__u64 map;
	__u64 type;
	__u64 begin_ns;
	__u64 goid;
	__u64 load_bias; /* of the file of its probe */
	__u64 ip;
	__u64 caller;
	__u64 fp;
	__u64 lo; /* of its stack */
	__u64 hi;
	__u32 target;
	__u32 tid;
	__u32 descriptor;
	__u32 reserved;
};

struct map_writer {
	__u64 actor;
	__u64 reported_ns;
};

struct wait {
	__u32 target;
	__u32 reserved;
	__u64 address;	  /* the futex */
	__u64 created_ns; /* of its lock: the entry may be evicted meanwhile, and another take its place */
};

struct lock_key {
	__u32 target;
	__u32 reserved;
	__u64 address;
};

/* Threads that sleep on one futex, so that the time they slept inside any window can be had from two snapshots.
 *
 * word = (A << 16) + N, N the threads asleep now and A = sum(ended) - sum(begun) of the times, modulo 2^48 ns. The
 * thread-time slept up to `now` is A + N * now. Both change in one atomic add: no snapshot can be torn.
 */
struct lock {
	__u64 word;
	__u64 created_ns;
	__u32 recent_slot;
	__u32 reserved;
};

#define MS_LOCK_TIME_MASK ((1ULL << 48) - 1)

MS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ms_descriptor);
} descriptors SEC(".maps");

MS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ms_image);
} images SEC(".maps");

MS_MAP struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} hits SEC(".maps");

MS_MAP struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MS_DROPS);
	__type(key, __u32);
	__type(value, __u64);
} drops SEC(".maps");

MS_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ms_target);
} targets SEC(".maps");

MS_MAP struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} inserts SEC(".maps");

MS_MAP struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ms_overhead);
} overheads SEC(".maps");

MS_MAP struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ms_insert_type);
} insert_types SEC(".maps");

/* What an actor is inside of, at the hash of its number; a second one with the same hash takes the place. */
MS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct insert_start);
} insert_starts SEC(".maps");

MS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct write_start);
} write_starts SEC(".maps");

/* The actor inside a write of a map, at the hash of the map's address; 0: none. */
MS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct map_writer);
} map_writers SEC(".maps");

MS_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct ms_open_key);
	__type(value, struct open_resize);
} open_resizes SEC(".maps");

/* The resize whose synchronous part an actor is in. */
MS_MAP struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct actor_key);
	__type(value, struct ms_open_key);
} syncs SEC(".maps");

/* The map that failed the last check of an actor. */
MS_MAP struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct actor_key);
	__type(value, __u64);
} failed_checks SEC(".maps");

MS_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct thread);
} threads SEC(".maps");

MS_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct wait);
} waits SEC(".maps");

MS_MAP struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct lock_key);
	__type(value, struct lock);
} locks SEC(".maps");

MS_MAP struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

/* Atomic: a probe can be preempted by another on its CPU. */
static __always_inline void count_up(void *map, __u32 index)
{
	__u64 *count = bpf_map_lookup_elem(map, &index);

	if (count)
		__sync_fetch_and_add(count, 1);
}

static __always_inline void drop(enum ms_drop reason)
{
	count_up(&drops, reason);
}

/* A reader drains the ring by a timer; it is woken early only when a quarter is full. */
static __always_inline __u64 ring_flags(void)
{
	__u64 size = bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE);

	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > size / 4 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

/* The thread no longer sleeps on a futex, if it did. Whoever deletes the entry accounts for it, so it happens once. */
static __always_inline void end_wait(__u32 tid, __u64 now)
{
	struct wait *wait = bpf_map_lookup_elem(&waits, &tid);
	struct lock_key key = {};
	struct lock *lock;
	__u64 created_ns;

	if (!wait)
		return;
	key.target = wait->target;
	key.address = wait->address;
	created_ns = wait->created_ns;
	if (bpf_map_delete_elem(&waits, &tid))
		return;
	lock = bpf_map_lookup_elem(&locks, &key);
	if (lock && lock->created_ns == created_ns)
		__sync_fetch_and_add(&lock->word, (now << 16) - 1);
	else
		drop(MS_DROP_WAITS_FULL);
}

#endif /* MAPSCOPE_MAPS_H */
