/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* bpf/meter.h – what a hit costs: how long its program runs, and at which class of instruction it was. */
#ifndef MAPSCOPE_METER_H
#define MAPSCOPE_METER_H

#include "bpf/maps.h"

struct meter {
	__u64 began_ns;
	__u32 weight; /* hits that this one stands for; 0: it is not measured */
};

static __always_inline struct meter begin_meter(__u32 every)
{
	struct meter meter = {};

	if (every == 1 || !(bpf_get_prandom_u32() & (every - 1))) {
		meter.weight = every;
		meter.began_ns = bpf_ktime_get_ns();
	}
	return meter;
}

#define LONGEST_RUN_NS 50000 /* the rest of a longer one something else had the CPU */

static __always_inline __u64 run_time(__u64 began_ns)
{
	__u64 ns = bpf_ktime_get_ns() - began_ns;

	return ns < LONGEST_RUN_NS ? ns : LONGEST_RUN_NS;
}

static __always_inline void add_use(const struct ms_target *target, const struct ms_descriptor *descriptor, __u64 hits,
				    __u64 program_ns)
{
	__u32 slot = target->slot, site_class = descriptor->flags >> MS_SITE_CLASS_SHIFT;
	struct ms_overhead *overhead = bpf_map_lookup_elem(&overheads, &slot);

	if (!overhead || site_class >= MS_SITE_CLASSES)
		return;
	__sync_fetch_and_add(&overhead->hits[site_class], hits);
	__sync_fetch_and_add(&overhead->program_ns, program_ns);
}

static __always_inline void end_meter(const struct meter *meter, const struct ms_target *target,
				      const struct ms_descriptor *descriptor)
{
	add_use(target, descriptor, meter->weight, run_time(meter->began_ns) * meter->weight);
}

#endif /* MAPSCOPE_METER_H */
