// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* bpf/process.bpf.c – the end of threads and targets; and, when the agent selects its targets itself, every program
 * that a process executes and every process that a target forks.
 *
 * A target leaves the `targets` map inside the kernel, before its pid can be used again, so no later process is ever
 * mistaken for it. exec ends a target too: its binary is gone; the agent looks at the new one afresh.
 */
#include "bpf/maps.h"

/* Whether processes that are no targets are told too. Set by the agent. */
const volatile __u8 tell_all = 0;

static __always_inline void tell(__u32 target, __u32 tgid, __u32 tid, enum ms_process_event event)
{
	struct ms_process_record record = {};

	record.header.type = MS_RECORD_PROCESS;
	record.header.target = target;
	record.header.tgid = tgid;
	record.header.tid = tid;
	record.time_ns = bpf_ktime_get_ns();
	record.event = event;
	if (bpf_ringbuf_output(&ring, &record, sizeof(record), BPF_RB_FORCE_WAKEUP))
		drop(MS_DROP_RING_PROCESS);
}

static __always_inline void end_target(__u32 tgid, __u32 tid, enum ms_process_event event)
{
	struct ms_target *target = bpf_map_lookup_elem(&targets, &tgid);
	__u32 id;

	if (!target) {
		if (tell_all && event == MS_PROCESS_EXEC)
			tell(0, tgid, tid, event);
		return;
	}
	id = target->id;
	bpf_map_delete_elem(&targets, &tgid);
	tell(id, tgid, tid, event);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(exit_thread, struct task_struct *task)
{
	__u32 tid = task->pid;

	end_wait(tid, bpf_ktime_get_ns());
	bpf_map_delete_elem(&threads, &tid);
	if (task->signal->live.counter == 0)
		end_target(task->tgid, tid, MS_PROCESS_EXIT);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_process, struct task_struct *task, int old_pid)
{
	__u32 tid = task->pid, old_tid = old_pid;

	/* A thread that was not the first takes over the first one's number. */
	bpf_map_delete_elem(&threads, &old_tid);
	bpf_map_delete_elem(&threads, &tid);
	end_target(task->tgid, tid, MS_PROCESS_EXEC);
	return 0;
}

/* A child that runs on in its parent's program. One that borrows the parent's memory is about to execute another. */
SEC("?tp_btf/sched_process_fork")
int BPF_PROG(fork_process, struct task_struct *parent, struct task_struct *child)
{
	__u32 tgid = parent->tgid;
	struct ms_target *target;

	if (child->pid != child->tgid || child->mm == parent->mm)
		return 0;
	target = bpf_map_lookup_elem(&targets, &tgid);
	if (target)
		tell(target->id, child->tgid, child->pid, MS_PROCESS_FORK);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
