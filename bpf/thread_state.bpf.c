// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* bpf/thread_state.bpf.c – where the threads that resize maps are, and which futex the threads of a target sleep on.
 *
 * sched_switch and sched_waking see every thread of the machine; all but the few of interest leave after one or two
 * look-ups. A thread is followed from its first resize to its exit, so that resizes of one thread may overlap.
 */
#include "bpf/maps.h"

/* include/linux/sched.h */
#define TASK_RUNNING 0x0000
#define TASK_INTERRUPTIBLE 0x0001
#define TASK_UNINTERRUPTIBLE 0x0002
#define TASK_WAKING 0x0200
#define TASK_RTLOCK_WAIT 0x1000

/* arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/linux/futex.h */
#define NR_FUTEX 202
#define FUTEX_COMMAND_MASK 0x7f
#define FUTEX_WAIT 0
#define FUTEX_LOCK_PI 6
#define FUTEX_WAIT_BITSET 9

static __always_inline void change_state(struct thread *thread, __u32 state, __u64 now)
{
	__u32 old = thread->state;

	/* A power of two: the mask is the bound that the verifier wants to see right here. */
	barrier_var(old);
	old &= MS_THREAD_STATES - 1;
	__sync_fetch_and_add(&thread->sequence, 1);
	if (now > thread->since_ns)
		thread->state_ns[old] += now - thread->since_ns;
	thread->state = state;
	thread->since_ns = now;
	__sync_fetch_and_add(&thread->sequence, 1);
}

static __always_inline __u32 state_after_switch(bool preempt, unsigned int task_state)
{
	/* A wake-up may already have overtaken the switch: TASK_WAKING. */
	if (preempt || task_state == TASK_RUNNING || task_state & TASK_WAKING)
		return MS_RUNNABLE;
	if (task_state & (TASK_UNINTERRUPTIBLE | TASK_RTLOCK_WAIT))
		return MS_UNINTERRUPTIBLE;
	return MS_SLEEPING;
}

/* The futex that a sleeping thread waits on, or 0. */
static __always_inline __u64 futex_address(struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 command = BPF_CORE_READ(regs, si) & FUTEX_COMMAND_MASK;

	if (BPF_CORE_READ(regs, orig_ax) != NR_FUTEX)
		return 0;
	if (command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET && command != FUTEX_LOCK_PI)
		return 0;
	return BPF_CORE_READ(regs, di);
}

static __always_inline struct lock *lock_of(struct lock_key *key, __u64 now)
{
	struct lock *lock = bpf_map_lookup_elem(&locks, key);
	struct lock fresh = {.created_ns = now, .recent_slot = MS_RECENT_LOCKS};

	if (lock)
		return lock;
	bpf_map_update_elem(&locks, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&locks, key);
}

static __always_inline void remember_recent(struct ms_target *target, struct lock *lock, __u64 address)
{
	__u32 slot = lock->recent_slot;

	if (slot < MS_RECENT_LOCKS && target->recent_locks[slot] == address)
		return;
	slot = __sync_fetch_and_add(&target->recent_next, 1) % MS_RECENT_LOCKS;
	target->recent_locks[slot] = address;
	lock->recent_slot = slot;
}

static __always_inline void begin_wait(struct task_struct *task, __u32 tid, __u64 now)
{
	__u32 tgid = task->tgid;
	struct ms_target *target = bpf_map_lookup_elem(&targets, &tgid);
	struct wait wait = {};
	struct lock_key key = {};
	struct lock *lock;

	if (!target)
		return;
	wait.address = futex_address(task);
	if (!wait.address)
		return;
	/* Its last wait is over although its return was not seen: a 6.18 guest was found to trace no switch away from
	 * some threads.
	 */
	end_wait(tid, now);
	wait.target = key.target = target->id;
	key.address = wait.address;
	lock = lock_of(&key, now);
	if (!lock) {
		drop(MS_DROP_WAITS_FULL);
		return;
	}
	wait.created_ns = lock->created_ns;
	if (bpf_map_update_elem(&waits, &tid, &wait, BPF_NOEXIST)) {
		drop(MS_DROP_WAITS_FULL);
		return;
	}
	__sync_fetch_and_add(&lock->word, 1 - (now << 16));
	remember_recent(target, lock, wait.address);
}

static __always_inline void switch_off(bool preempt, struct task_struct *task, __u64 now)
{
	__u32 tid = task->pid;
	unsigned int task_state = task->__state;
	__u32 state = state_after_switch(preempt, task_state);
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);

	if (thread) {
		change_state(thread, state, now);
		thread->switches++;
		thread->minor_faults = task->min_flt;
		thread->major_faults = task->maj_flt;
	}
	/* A thread that was stopped or killed in its futex call does not wait any more; no later event would end its
	 * wait. */
	if (state == MS_SLEEPING && task_state & TASK_INTERRUPTIBLE)
		begin_wait(task, tid, now);
}

static __always_inline void switch_on(struct task_struct *task, __u64 now)
{
	__u32 tid = task->pid;
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);

	if (thread)
		change_state(thread, MS_RUNNING, now);
	end_wait(tid, now);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(switch_threads, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u64 now = bpf_ktime_get_ns();

	if (prev->pid)
		switch_off(preempt, prev, now);
	if (next->pid)
		switch_on(next, now);
	return 0;
}

static __always_inline void wake(struct task_struct *task)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 tid = task->pid;
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);

	/* A wait for a lock goes on until the thread runs: woken, it may find the lock taken again. */
	if (thread && (thread->state == MS_SLEEPING || thread->state == MS_UNINTERRUPTIBLE))
		change_state(thread, MS_RUNNABLE, now);
}

SEC("tp_btf/sched_waking")
int BPF_PROG(wake_thread, struct task_struct *task)
{
	wake(task);
	return 0;
}

/* A wake-up may come while its thread is still on the way to sleep, which then follows sched_waking; in a queue for a
 * lock that is the rule. sched_wakeup comes after both: the thread does not sleep any more.
 */
SEC("tp_btf/sched_wakeup")
int BPF_PROG(finish_wake, struct task_struct *task)
{
	wake(task);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
