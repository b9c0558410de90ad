/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* bpf/hit.h – one hit of a probe: whose it is, and what its descriptor says to read.
 *
 * Only memory of the probed process is read, by helpers that fail instead of faulting; what could not be read is
 * counted and marked, never guessed.
 */
#ifndef MAPSCOPE_HIT_H
#define MAPSCOPE_HIT_H

#include "bpf/maps.h"
#include "bpf/meter.h"

struct hit {
	struct pt_regs regs;
	const struct ms_descriptor *descriptor;
	const struct ms_image *image;
	struct ms_target *target;
	__u32 index; /* of the descriptor */
	__u32 tgid;
	__u32 tid;
};

static __always_inline const struct ms_image *image_of(const struct ms_descriptor *descriptor)
{
	__u32 index = descriptor->image;

	return bpf_map_lookup_elem(&images, &index);
}

static __always_inline bool take_hit(struct pt_regs *ctx, struct hit *hit)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	hit->tgid = pid_tgid >> 32;
	hit->tid = (__u32)pid_tgid;
	hit->descriptor = NULL;
	hit->target = bpf_map_lookup_elem(&targets, &hit->tgid);
	if (!hit->target)
		return false;
	hit->index = (__u32)bpf_get_attach_cookie(ctx);
	count_up(&hits, hit->index);
	hit->descriptor = bpf_map_lookup_elem(&descriptors, &hit->index);
	if (!hit->descriptor) {
		drop(MS_DROP_DESCRIPTOR);
		return false;
	}
	hit->image = image_of(hit->descriptor);
	if (!hit->image)
		return false;
	return !bpf_probe_read_kernel(&hit->regs, sizeof(hit->regs), ctx) &&
	       !(hit->regs.flags & hit->descriptor->skip_eflags);
}

/* What addresses of the process are above those of the file that the probe is in. */
static __always_inline __u64 load_bias_of(const struct hit *hit)
{
	return hit->regs.ip - hit->descriptor->vaddr;
}

/* As in the kernel's struct pt_regs, in the order of enum ms_register. */
struct registers {
	__u64 words[MS_REGISTERS];
};

struct field_values {
	__u64 values[MS_MAX_FIELDS];
};

static __always_inline __u64 register_value(const struct registers *regs, __u32 index)
{
	/* The verifier (5.15) wants the bound on the very register that indexes the words. */
	barrier_var(index);
	return index < MS_REGISTERS ? regs->words[index] : 0;
}

static __always_inline int read_field(const struct registers *regs, const struct ms_field *field, __u64 *value)
{
	__u64 at = register_value(regs, field->reg);
	__u64 read = 0;
	__u32 size = field->size;

	*value = at;
	if (field->derefs == 0)
		return 0;
	if (field->derefs > 1 && bpf_probe_read_user(&at, sizeof(at), (void *)(at + field->offset[0])))
		return -1;
	at += field->derefs > 1 ? field->offset[1] : field->offset[0];
	if (size == 0)
		return -1;
	/* Keeps the two bounds apart: as one, size - 9 < -8, kernels 6.1 and 6.12 say "invalid indirect access to
	 * stack". */
	barrier_var(size);
	if (size > sizeof(read) || bpf_probe_read_user(&read, size, (void *)at))
		return -1;
	*value = read;
	return 0;
}

/* Returns which fields were read, as bits. A function of its own, global, so that it is verified once: what it learns
 * on its many ways would multiply with all that follows, beyond what 6.1 goes through.
 */
__weak __noinline __u32 read_described(const struct registers *regs, struct field_values *out,
				       const struct ms_descriptor *descriptor)
{
	__u32 valid = 0;

	if (!regs || !out || !descriptor)
		return 0;
#pragma unroll
	for (__u32 i = 0; i < MS_MAX_FIELDS; i++) {
		__u64 value = 0;

		if (i >= descriptor->field_count)
			break;
		if (read_field(regs, &descriptor->fields[i], &value))
			drop(MS_DROP_FIELD_UNREADABLE);
		else
			valid |= 1 << i;
		out->values[i] = value;
	}
	return valid;
}

static __always_inline __u8 read_fields(const struct hit *hit, __u64 *values)
{
	return read_described((const struct registers *)&hit->regs, (struct field_values *)values, hit->descriptor);
}

static __always_inline __u64 field_or(const __u64 *values, __u8 valid, __u32 index, __u64 otherwise)
{
	barrier_var(index);
	if (index >= MS_MAX_FIELDS || !(valid & (1 << index)))
		return otherwise;
	return values[index];
}

/* Whether what the probe is about has come true here. */
static __always_inline bool counts(const struct hit *hit, const __u64 *values, __u8 valid)
{
	bool is_set, wanted = hit->descriptor->flags & MS_IF_SET;

	if (hit->descriptor->zero_field == MS_NO_FIELD)
		return true;
	/* Unreadable counts as what is not wanted. */
	is_set = field_or(values, valid, hit->descriptor->zero_field, !wanted);
	return is_set == wanted;
}

static __always_inline void read_text(const struct ms_descriptor *descriptor, const __u64 *values, __u8 valid,
				      char *text)
{
	__u64 address = field_or(values, valid, descriptor->text_field, 0);
	__u64 length = field_or(values, valid, descriptor->length_field, MS_TEXT_BYTES);
	long read;

	if (!address)
		return;
	if (descriptor->length_field == MS_NO_FIELD) {
		read = bpf_probe_read_user_str(text, MS_TEXT_BYTES, (void *)address);
	} else {
		if (length > MS_TEXT_BYTES - 1)
			length = MS_TEXT_BYTES - 1;
		read = bpf_probe_read_user(text, length, (void *)address);
	}
	if (read < 0)
		drop(MS_DROP_FIELD_UNREADABLE);
}

static __always_inline __u64 read_caller(const struct hit *hit)
{
	__u64 caller = 0;

	if (hit->descriptor->flags & MS_AT_ENTRY)
		bpf_probe_read_user(&caller, sizeof(caller), (void *)hit->regs.sp);
	return caller;
}

/* The thread as glibc writes it into its locks: by its number in its own pid namespace. */
static __always_inline __u32 own_tid(void)
{
	/* By helpers: 6.1 allows no arithmetic with an unknown number on a kernel pointer. */
	struct pid *pid = BPF_CORE_READ(bpf_get_current_task_btf(), thread_pid);
	__u32 nr = 0;

	bpf_probe_read_kernel(&nr, sizeof(nr),
			      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				      BPF_CORE_READ(pid, level) * bpf_core_type_size(struct upid) +
				      bpf_core_field_offset(struct upid, nr));
	return nr;
}

static __always_inline void fill_header(struct ms_record_header *header, const struct hit *hit, __u32 type)
{
	header->type = type;
	header->target = hit->target->id;
	header->tgid = hit->tgid;
	header->tid = hit->tid;
}

extern const volatile __u8 never;

/* Since 6.13 a program with much on its stack gets one from the kernel for each CPU, as if no program ran there twice
 * at a time. Probes do: a kernel that preempts itself (PREEMPT_LAZY, all there is since 7.0) lets another thread hit
 * the same probe in the middle of this hit, on the same stack. What has a tail call keeps the thread's own stack; this
 * one, which names no programs, is dead code to the verifier, which drops it.
 */
static __always_inline void keep_own_stack(struct pt_regs *ctx)
{
	if (never)
		bpf_tail_call(ctx, NULL, 0);
}

/* A program for probes of one kind: the body is what it does with a hit that counts. One hit in `every` is measured;
 * when that is each one, `entered_ns` is when it began.
 */
#define PROBE_PROGRAM(name, every)                                                      \
	static __always_inline void name##_at(const struct hit *hit, __u64 entered_ns); \
	SEC("?uprobe")                                                                  \
	int name(struct pt_regs *ctx)                                                   \
	{                                                                               \
		struct meter meter = begin_meter(every);                                \
		struct hit hit;                                                         \
                                                                                        \
		keep_own_stack(ctx);                                                    \
                                                                                        \
		if (take_hit(ctx, &hit))                                                \
			name##_at(&hit, meter.began_ns);                                \
		if (meter.weight && hit.target && hit.descriptor)                       \
			end_meter(&meter, hit.target, hit.descriptor);                  \
		return 0;                                                               \
	}                                                                               \
	static __always_inline void name##_at(const struct hit *hit, __u64 entered_ns)

#endif /* MAPSCOPE_HIT_H */
