/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* bpf/wire.h – the only ABI between the BPF programs and the agent.
 *
 * Compiles as C11 for -target bpf and as C++20. Every member has a fixed width and a place that is asserted below; both
 * sides are built from this file, so there is no version number. Times are CLOCK_MONOTONIC nanoseconds. Addresses are
 * the target's and are never dereferenced by the agent.
 */
#ifndef MAPSCOPE_WIRE_H
#define MAPSCOPE_WIRE_H

#ifdef __cplusplus
#include <cstdint>
#else
typedef __u8 uint8_t;
typedef __u16 uint16_t;
typedef __u32 uint32_t;
typedef __u64 uint64_t;
typedef __s32 int32_t;
#endif

#include "bpf/image.h"

enum ms_limits {
	MS_MAX_FIELDS = 8,
	MS_MAX_DEREFS = 2,
	MS_TEXT_BYTES = 64,
	MS_COMM_BYTES = 16,
	MS_STACK_CHUNK_BYTES = 512,
	MS_STACK_BYTES = 4096,
	MS_REGISTERS = 21,
	MS_RECENT_LOCKS = 16,
	MS_MAX_FRAMES = 64,
	MS_MAX_FATALS = 4, /* of one process that are reported */
};

/* Index of a register in the x86-64 struct pt_regs, counted in 8-byte words. */
enum ms_register {
	MS_REG_R15,
	MS_REG_R14,
	MS_REG_R13,
	MS_REG_R12,
	MS_REG_BP,
	MS_REG_BX,
	MS_REG_R11,
	MS_REG_R10,
	MS_REG_R9,
	MS_REG_R8,
	MS_REG_AX,
	MS_REG_CX,
	MS_REG_DX,
	MS_REG_SI,
	MS_REG_DI,
	MS_REG_ORIG_AX,
	MS_REG_IP,
	MS_REG_CS,
	MS_REG_FLAGS,
	MS_REG_SP,
	MS_REG_SS,
	/* In a room's table only: the planner puts in the register that it finds at the site. */
	MS_REG_FOUND = 0xfe,
};

/* What a probe means. One BPF program serves each kind. */
enum ms_probe_kind {
	MS_PROBE_BEGIN = 1,	    /* a resize begins */
	MS_PROBE_SYNC_END = 2,	    /* the part that one insert paid for is over; the resize may go on */
	MS_PROBE_END = 3,	    /* a resize is complete: one record */
	MS_PROBE_POINT = 4,	    /* a resize without duration: one record */
	MS_PROBE_INSERT = 5,	    /* counted only */
	MS_PROBE_FATAL = 6,	    /* the process is about to die of a misused map: one record at once */
	MS_PROBE_CANCEL = 7,	    /* what began turns out to be no resize */
	MS_PROBE_INSERT_END = 8,    /* the insert is over: its time */
	MS_PROBE_WRITE = 9,	    /* a goroutine or thread is inside a write of the map from here */
	MS_PROBE_WRITE_END = 10,    /* to here */
	MS_PROBE_FAILED_CHECK = 11, /* the map that a fatal of the same goroutine or thread is about */
	MS_PROBE_KINDS = 12,
};

enum ms_no_field { MS_NO_FIELD = 0xff };

/* A value reached from a register: v = reg; derefs times: v = *(v + offset[i]); the last read takes `size` bytes. */
struct ms_field {
	uint8_t reg;	/* enum ms_register */
	uint8_t derefs; /* 0..MS_MAX_DEREFS */
	uint8_t size;	/* bytes of the last read: 1, 2, 4 or 8; ignored without derefs */
	uint8_t reserved;
	int32_t offset[MS_MAX_DEREFS];
};

enum ms_descriptor_flags {
	MS_AT_ENTRY = 1,	 /* *(sp) is the return address here */
	MS_QUIET = 2,		 /* an end without a begin is normal here */
	MS_IF_SET = 4,		 /* zero_field must not be 0, instead of being 0 */
	MS_NO_STACK = 8,	 /* the stack is not to be sampled */
	MS_SYNC_PROBED = 16,	 /* of a begin: the end of its synchronous part is probed */
	MS_SITE_CLASS_SHIFT = 6, /* above: what the kernel does with the probed instruction, for the meter */
};

enum ms_site_classes { MS_SITE_CLASSES = 4 }; /* as many as two bits tell apart */

/* One probe, as data. Indexed by the low 32 bits of the BPF cookie. */
struct ms_descriptor {
	uint8_t kind;	      /* enum ms_probe_kind */
	uint8_t field_count;  /* 0..MS_MAX_FIELDS */
	uint8_t key_field;    /* index of the field that pairs begin and end; MS_NO_FIELD: the thread */
	uint8_t text_field;   /* index of a field that points to characters, or MS_NO_FIELD */
	uint8_t length_field; /* index of their count; MS_NO_FIELD: NUL-terminated */
	uint8_t flags;	      /* enum ms_descriptor_flags */
	uint8_t skip_eflags;  /* a hit with one of these bits of EFLAGS set does not count */
	uint8_t zero_field;   /* index of a field: a hit counts only when it is 0; or MS_NO_FIELD */
	struct ms_field fields[MS_MAX_FIELDS];
	uint64_t vaddr; /* of the probed instruction, as in the file */
	uint32_t image; /* index of the file's facts in `images` */
	uint32_t reserved;
};

/* Where a thread was. The order is that of state_ns[]. */
enum ms_thread_state {
	MS_RUNNING,	    /* on a CPU */
	MS_RUNNABLE,	    /* waiting for a CPU */
	MS_SLEEPING,	    /* interruptible sleep, stopped or traced */
	MS_UNINTERRUPTIBLE, /* waiting for I/O or the like */
	MS_THREAD_STATES,
};

/* Why something is missing. Each has a per-CPU counter; names in agent/collect/drop_reason.h. */
enum ms_drop {
	MS_DROP_RING_RESIZE,	  /* ring full: a finished resize is lost */
	MS_DROP_RING_STACK,	  /* ring full: a stack sample is lost, its resize is not */
	MS_DROP_RING_FATAL,	  /* ring full: a fatal is lost */
	MS_DROP_RING_RACE,	  /* ring full: a race is lost */
	MS_DROP_RING_PROCESS,	  /* ring full: an exec or exit is lost */
	MS_DROP_OPEN_FULL,	  /* more resizes open at once than the table holds: this one is lost */
	MS_DROP_SUPERSEDED,	  /* a resize began on a key that had one open: the older is lost */
	MS_DROP_END_UNMATCHED,	  /* an end without a begin: it began before the probes were on */
	MS_DROP_FIELD_UNREADABLE, /* a field's memory was not readable; the record says which */
	MS_DROP_THREADS_FULL,	  /* thread table full: thread states of a resize are unknown */
	MS_DROP_WAITS_FULL,	  /* wait or lock table full: blocked threads may be under-counted */
	MS_DROP_STACK_LIMITED,	  /* a stack was not sampled: the target's rate limit */
	MS_DROP_STACK_UNREADABLE, /* no byte of the stack was readable */
	MS_DROP_DESCRIPTOR,	  /* a probe hit without a descriptor */
	MS_DROP_TYPES_FULL,	  /* insert types full: an insert is counted, but neither its type nor its time */
	MS_DROPS,
};

enum ms_record_type {
	MS_RECORD_RESIZE = 1,
	MS_RECORD_STACK = 2,
	MS_RECORD_FATAL = 3,
	MS_RECORD_PROCESS = 4,
	MS_RECORD_FRAMES = 5,
	MS_RECORD_RACE = 6,
};

/* The goroutine at a probe; all 0: unknown. */
struct ms_goroutine {
	uint64_t g; /* address of its g */
	uint64_t id;
	uint64_t stack_lo;
	uint64_t stack_hi;
	uint64_t start_pc;
	uint64_t m; /* id of the runtime's thread */
	uint32_t status;
	uint32_t reserved;
};

struct ms_record_header {
	uint32_t type;	 /* enum ms_record_type */
	uint32_t target; /* the agent's number for the process, never used twice in one run */
	uint32_t tgid;
	uint32_t tid;
};

enum ms_resize_flags {
	MS_RESIZE_POINT = 1,	       /* no duration was measured */
	MS_RESIZE_STATES_UNKNOWN = 2,  /* state_ns, switches and faults are not valid */
	MS_RESIZE_BLOCKED_KNOWN = 4,   /* blocked_* are valid: the beginning thread's locks were looked at */
	MS_RESIZE_STATES_OF_SYNC = 8,  /* state_ns, switches and faults end with the synchronous part */
	MS_RESIZE_CALLER_IN_FILE = 16, /* caller is an address as in the file */
	MS_RESIZE_SYNC_PROBED = 32, /* without sync_ns it has ended inside its synchronous part, or that was not seen */
};

struct ms_resize_record {
	struct ms_record_header header; /* tid: the thread that began it */
	uint64_t key;			/* the pairing key, usually the map's address */
	uint64_t begin_ns;
	uint64_t end_ns;
	uint64_t sync_ns; /* when the part one insert paid for was over; 0: not probed or not reached */
	uint64_t begin_fields[MS_MAX_FIELDS];
	uint64_t end_fields[MS_MAX_FIELDS];
	uint64_t state_ns[MS_THREAD_STATES]; /* of the beginning thread, begin to end */
	/* Who is responsible; 0: unknown. Of a goroutine, an address inside the call that led to the first frame
	 * outside the runtime (the probed instruction itself where that is in such a frame). Otherwise the return
	 * address at begin.
	 */
	uint64_t caller;
	uint64_t load_bias;  /* what addresses of the process are above those of the probe's file */
	uint64_t stack_id;   /* of the MS_RECORD_STACK that came before; 0: none */
	uint64_t blocked_ns; /* thread-time spent waiting for a lock that the resizing thread held */
	uint32_t blocked_threads;
	uint32_t minor_faults;
	uint32_t major_faults;
	uint32_t switches;
	uint32_t end_tid;
	uint16_t begin_descriptor;
	uint16_t end_descriptor;
	uint8_t begin_valid; /* bit i: begin_fields[i] was read */
	uint8_t end_valid;
	uint16_t flags;		       /* enum ms_resize_flags */
	uint32_t cpu;		       /* at begin */
	struct ms_goroutine goroutine; /* at begin */
	char comm[MS_COMM_BYTES];
	char text[MS_TEXT_BYTES]; /* of the begin probe, NUL-terminated; "" if unread */
};

struct ms_stack_record {
	struct ms_record_header header;
	uint64_t stack_id;
	uint64_t time_ns;
	uint64_t registers[MS_REGISTERS]; /* enum ms_register */
	uint32_t stack_bytes;		  /* valid bytes of stack[], a multiple of MS_STACK_CHUNK_BYTES or 0 */
	uint32_t descriptor;		  /* of the probe that sampled it */
	uint64_t load_bias;
	char text[MS_TEXT_BYTES];      /* as in that probe's own record; "" for a fatal */
	uint8_t stack[MS_STACK_BYTES]; /* from registers[MS_REG_SP] upwards */
};

/* The stack of a goroutine, walked by its frame pointers. */
struct ms_frames_record {
	struct ms_record_header header;
	uint64_t stack_id;
	uint64_t time_ns;
	uint32_t frame_count;
	uint32_t descriptor; /* of the probe that sampled it */
	uint64_t load_bias;  /* what addresses of the process are above those of that probe's file */
	/* [0]: the probed instruction; then return addresses, innermost first. */
	uint64_t frames[MS_MAX_FRAMES];
};

/* Two that were inside a write of one map at once. */
struct ms_race_record {
	struct ms_record_header header; /* of the second */
	uint64_t time_ns;		/* when the second came in */
	uint64_t map;
	uint64_t map_type;	 /* address of the type descriptor; 0 unknown */
	uint64_t load_bias;	 /* of the second's probe */
	uint64_t first_begin_ns; /* when the first came in */
	uint64_t stack_id;	 /* of the second */
	uint64_t first_stack_id;
	struct ms_goroutine goroutine; /* of the second */
	uint64_t first_g;
	uint64_t first_goid;
	uint32_t first_tid;
	uint16_t descriptor; /* of the second's probe */
	uint16_t first_descriptor;
	char comm[MS_COMM_BYTES];
};

struct ms_fatal_record {
	struct ms_record_header header;
	uint64_t time_ns;
	uint64_t load_bias;
	uint64_t stack_id;
	struct ms_goroutine goroutine;
	uint64_t map;		  /* of the probe, or the last one on which a check was seen to fail; 0 unknown */
	uint64_t growth_begin_ns; /* of a resize of that map that had not ended, 0 none known */
	uint16_t descriptor;
	uint8_t ordinal; /* 0: the first of its process; in Go each goroutine that dies says so, and one of them prints
			  */
	uint8_t reserved[5];
	char comm[MS_COMM_BYTES];
	char text[MS_TEXT_BYTES];
};

/* header.target of an exec is 0 when the process was no target; that of a fork is the parent, its tgid the child. */
enum ms_process_event { MS_PROCESS_EXEC = 1, MS_PROCESS_EXIT = 2, MS_PROCESS_FORK = 3 };

struct ms_process_record {
	struct ms_record_header header;
	uint64_t time_ns;
	uint32_t event; /* enum ms_process_event */
	uint32_t reserved;
};

/* Value of the `targets` map, keyed by tgid. The agent writes id and slot; the rest is the kernel side's. */
struct ms_target {
	uint32_t id;
	uint32_t slot;		     /* index of its insert counter */
	uint64_t stack_due_ns;	     /* token bucket: theoretical arrival time of the next sample */
	uint64_t point_stack_due_ns; /* likewise, of points: there may be many of them, and they are no growth */
	uint32_t recent_next;
	uint32_t fatals;			/* hits of fatal probes; only the first is reported */
	uint64_t recent_locks[MS_RECENT_LOCKS]; /* futex addresses that threads slept on lately; 0: none */
};

/* Inserts of one map type on one CPU, and how long they took; an entry of the per-CPU `insert_types` map, which is a
 * hash table of its own: the entry of a type is one of MS_TYPE_PROBES from the place of its hash on. After entries of a
 * target that is gone were cleared it may have two, which add up.
 */
enum ms_insert_limits {
	MS_TIME_BUCKETS = 32,
	MS_INSERT_TYPES = 512, /* a power of two */
	MS_TYPE_PROBES = 4,
	MS_STARTS = 16384, /* entries of insert_starts, write_starts and map_writers while they are in use */
};
enum ms_insert_phase { MS_STEADY, MS_DURING_RESIZE, MS_INSERT_PHASES };

struct ms_insert_type {
	uint64_t type;	    /* address of the type descriptor; 0: of unknown type */
	uint32_t target;    /* 0: a free entry */
	uint32_t image;	    /* of the probe that met it first */
	uint64_t load_bias; /* likewise */
	uint64_t count;
	uint64_t sum_ns[MS_INSERT_PHASES];
	uint64_t log2_ns[MS_INSERT_PHASES][MS_TIME_BUCKETS]; /* [i]: at least 2^i and less than 2^(i+1) */
};

/* Argument of the program that tells which file a mapping of its caller is of. */
struct ms_file_identity {
	uint64_t address; /* in the mapping */
	uint64_t device;  /* of the file system that holds the file's data, as the kernel numbers it */
	uint64_t inode;
};

/* Argument of the program that clears the entries of a target. */
struct ms_clear_inserts {
	uint32_t target;
	uint32_t cpus; /* that are possible */
};

/* What probes cost one target on one CPU; an entry of the per-CPU `overheads` map, at the target's slot. Of probes that
 * every insert meets one hit in MS_METER_EVERY stands for all.
 */
enum ms_meter { MS_METER_EVERY = 64 };

struct ms_overhead {
	uint64_t hits[MS_SITE_CLASSES];
	uint64_t program_ns; /* spent in the programs, without the traps that lead to them */
};

/* Key of the `open_resizes` map. */
struct ms_open_key {
	uint32_t target;
	uint32_t reserved;
	uint64_t key;
};

#ifdef __cplusplus
#define MS_ASSERT(condition) static_assert(condition, #condition)
#else
#define MS_ASSERT(condition) _Static_assert(condition, #condition)
#endif
MS_ASSERT(sizeof(struct ms_field) == 12);
MS_ASSERT(sizeof(struct ms_descriptor) == 24 + 12 * MS_MAX_FIELDS);
MS_ASSERT(sizeof(struct ms_image) == 32 + 8 * MS_TEXT_RANGES);
MS_ASSERT(sizeof(struct ms_record_header) == 16);
MS_ASSERT(sizeof(struct ms_resize_record) == 408);
MS_ASSERT(__builtin_offsetof(struct ms_resize_record, comm) == 328);
MS_ASSERT(sizeof(struct ms_stack_record) == 280 + MS_STACK_BYTES);
MS_ASSERT(sizeof(struct ms_fatal_record) == 200);
MS_ASSERT(sizeof(struct ms_frames_record) == 48 + 8 * MS_MAX_FRAMES);
MS_ASSERT(sizeof(struct ms_race_record) == 168);
MS_ASSERT(sizeof(struct ms_insert_type) == 48 + 16 * MS_TIME_BUCKETS);
MS_ASSERT(sizeof(struct ms_process_record) == 32);
MS_ASSERT(sizeof(struct ms_file_identity) == 24);
MS_ASSERT(sizeof(struct ms_clear_inserts) == 8);
MS_ASSERT(sizeof(struct ms_goroutine_layout) == 16);
MS_ASSERT(sizeof(struct ms_goroutine) == 56);
MS_ASSERT(sizeof(struct ms_target) == 32 + 8 * MS_RECENT_LOCKS);
MS_ASSERT(sizeof(struct ms_open_key) == 16);
MS_ASSERT(sizeof(struct ms_overhead) == 40);

#endif /* MAPSCOPE_WIRE_H */
