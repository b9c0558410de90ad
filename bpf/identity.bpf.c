// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* bpf/identity.bpf.c – which file the kernel means by a mapping: where an overlay has laid a file over another, uprobes
 * stand on the one below, and so must whatever tells two files apart.
 *
 * Runs in the agent, on a page that it has mapped of the file; nobody else's memory is looked at.
 */
#include "bpf/maps.h"

static long read_file(struct task_struct *task, struct vm_area_struct *vma, struct ms_file_identity *identity)
{
	struct inode *inode = BPF_CORE_READ(vma, vm_file, f_inode);

	identity->inode = BPF_CORE_READ(inode, i_ino);
	identity->device = BPF_CORE_READ(inode, i_sb, s_dev);
	return 0;
}

SEC("syscall")
int identify_mapping(struct ms_file_identity *argument)
{
	struct ms_file_identity identity = {};
	long failed = bpf_find_vma(bpf_get_current_task_btf(), argument->address, read_file, &identity, 0);

	if (failed)
		return -failed;
	argument->inode = identity.inode;
	argument->device = identity.device;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
