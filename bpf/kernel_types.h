/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* bpf/kernel_types.h – the few kernel types that the programs touch, relocated by CO-RE at load.
 *
 * Only the members named here are read; their places come from the running kernel's BTF, so no dump of it is needed to
 * build. The guard makes bpf_tracing.h use the kernel's register names. Known since: task_struct.__state 5.14.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#include <linux/types.h>
#include <linux/bpf.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live; /* threads of the process that are not exiting */
};

/* The numbers of one thread, in the first pid namespace and those below it; the last is its own. */
struct upid {
	int nr;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct thread_struct {
	unsigned long fsbase;
};

struct mm_struct;

struct super_block {
	unsigned int s_dev;
};

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
};

struct file {
	struct inode *f_inode;
};

struct vm_area_struct {
	struct file *vm_file;
};

struct task_struct {
	unsigned int __state;
	int pid;
	int tgid;
	unsigned long min_flt;
	unsigned long maj_flt;
	struct signal_struct *signal;
	struct pid *thread_pid;
	struct mm_struct *mm;
	struct thread_struct thread;
};

/* x86-64; the order is that of enum ms_register. */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

#pragma clang attribute pop

struct linux_binprm;

#endif /* __VMLINUX_H__ */
