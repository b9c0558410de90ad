/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* bpf/image.h – what is known of a file that is probed; part of bpf/wire.h, which asserts the sizes.
 */
#ifndef MAPSCOPE_IMAGE_H
#define MAPSCOPE_IMAGE_H

enum ms_image_limits { MS_TEXT_RANGES = 256 }; /* a power of two */

/* Where a runtime that schedules goroutines on its threads keeps what is reported of one; offsets in bytes into its g
 * and m. stack.lo is at 0, stack.hi at 8 and m at 48 of every g.
 */
enum ms_goroutine_source {
	MS_GOROUTINE_NONE,     /* a runtime of threads */
	MS_GOROUTINE_REGISTER, /* g is in R14 */
	MS_GOROUTINE_TLS,      /* g is at %fs:-8 */
};

struct ms_goroutine_layout {
	uint16_t source;   /* enum ms_goroutine_source */
	uint16_t status;   /* uint32_t in g */
	uint16_t goid;	   /* uint64_t in g */
	uint16_t start_pc; /* uint64_t in g */
	uint16_t m_id;	   /* int64_t in m */
	uint16_t m_curg;   /* pointer in m */
	uint16_t m_p;	   /* pointer in m; its uint32_t schedtick is at 16 in every version; 0: not known */
	uint16_t reserved;
};

/* Of code, in bytes from ms_image.text. */
struct ms_text_range {
	uint32_t begin;
	uint32_t end;
};

/* What is known of a file that is probed, whatever else the process has mapped. The entry at 0 is that of every native
 * file: all 0.
 */
struct ms_image {
	struct ms_goroutine_layout goroutines;
	uint64_t text; /* [text, text + text_bytes): the code of Go; addresses as in the file */
	uint32_t text_bytes;
	uint32_t runtime_count; /* 0: which code is the runtime's is not known */
	/* Code of the maps and of the runtime, by address; behind the last, which is not that of the array, UINT32_MAX.
	 */
	struct ms_text_range runtime_text[MS_TEXT_RANGES];
};

#endif /* MAPSCOPE_IMAGE_H */
