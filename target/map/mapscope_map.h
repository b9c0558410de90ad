/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* target/map/mapscope_map.h – the symbol contract: how a hash map lets itself be watched.
 *
 * A program takes part by having these symbols on the path of every operation. Nothing is
 * registered and nothing is called back; unprobed they cost a nop and a jump. Arguments follow
 * the System V calling convention; the type behind `map`, further arguments and return values are
 * the map's own affair.
 *
 *   mapscope_map_insert(map, ...)          once per insert or assignment
 *   mapscope_map_grow(map, growth)         a resize BEGINS at entry; at return its synchronous
 *                                          part, what this one insert paid, is over. A map that
 *                                          moves everything at once calls
 *                                          mapscope_map_finish_growth inside it.
 *                                          growth: const struct mapscope_growth*
 *   mapscope_map_evacuate(map, bucket)     one step of an incremental evacuation
 *                                          bucket: uint64_t, number of the old bucket
 *   mapscope_map_finish_growth(map)        the resize ENDS at entry; once for each grow
 *   mapscope_map_fatal(map, message)       right before the process dies of a misuse of the map
 *                                          message: NUL-terminated, e.g. "concurrent map writes"
 *
 * Only grow and finish_growth are required. A resize is paired by the address of its map: one map
 * has at most one resize at a time, and any thread may end it. A map destroyed while it grows
 * leaves the resize unfinished. What `map`, `growth` and `message` point to must stay readable
 * while the call lasts.
 *
 * Each symbol starts with a 1-byte nop: a probe on it is cheap on every kernel. It sits at function
 * entry, where arguments are untouched and the stack holds nothing but the return address. It must
 * not be longer: Linux 6.18 turns a probed 5-byte nop into a call to memory that a forked child does
 * not have. Symbols of earlier versions have one behind the short nop; it is left alone. The two
 * macros below write such symbols (x86-64; GCC and Clang; PIE or not, shared libraries,
 * -ffunction-sections with --gc-sections, -flto). What they run is an extern "C" function, or one with an asm label, marked
 * MAPSCOPE_IMPLEMENTATION. A complete instrumented map:
 *
 *   #include "mapscope_map.h"
 *   void mapscope_map_insert(struct table*, uint64_t key);
 *   void mapscope_map_grow(struct table*, const struct mapscope_growth*);
 *   void mapscope_map_finish_growth(struct table*);
 *   MAPSCOPE_IMPLEMENTATION void table_insert(struct table* t, uint64_t key) {
 *     struct mapscope_growth growth = {t->slots, 2 * t->slots, t->used, 16 * t->slots,
 *                                      MAPSCOPE_KIND_GROW, MAPSCOPE_TRIGGER_LOAD, "table"};
 *     if (t->used == t->slots) mapscope_map_grow(t, &growth);
 *     t->keys[t->used++] = key;
 *   }
 *   MAPSCOPE_IMPLEMENTATION void table_grow(struct table* t, const struct mapscope_growth* growth) {
 *     t->keys = realloc(t->keys, growth->new_bytes);
 *     mapscope_map_finish_growth(t);
 *   }
 *   MAPSCOPE_IMPLEMENTATION void table_finish_growth(struct table* t) { t->slots *= 2; }
 *   MAPSCOPE_ENTRY(mapscope_map_insert, table_insert);
 *   MAPSCOPE_SPAN(mapscope_map_grow, table_grow);
 *   MAPSCOPE_ENTRY(mapscope_map_finish_growth, table_finish_growth);
 *
 * The call site of a resize is the first function on the stack that is not the map's own: whose name
 * starts neither with mapscope_map_ nor with `type` followed by "::" or "_".
 *
 * An executable or library has one set of these symbols; several maps share it and differ by
 * `type`. The symbols are protected: each library calls its own. `strip` removes them from an
 * executable unless it is linked with -Wl,--export-dynamic-symbol=mapscope_map_* (libraries export
 * them anyway).
 */
/* clang-format on */
#ifndef MAPSCOPE_TARGET_MAP_MAPSCOPE_MAP_H_
#define MAPSCOPE_TARGET_MAP_MAPSCOPE_MAP_H_

#include <stdint.h>

enum mapscope_kind {
  MAPSCOPE_KIND_GROW = 1,      /* into more slots */
  MAPSCOPE_KIND_SAME_SIZE = 2, /* into as many slots, to shed overflow buckets */
};

enum mapscope_trigger {
  MAPSCOPE_TRIGGER_LOAD = 1,     /* the load factor would be exceeded */
  MAPSCOPE_TRIGGER_OVERFLOW = 2, /* too many overflow buckets */
};

struct mapscope_growth {
  uint64_t old_slots; /* slots for entries before, overflow not counted */
  uint64_t new_slots; /* and after */
  uint64_t entries;   /* entries in the map before the insert that triggered the resize */
  uint64_t new_bytes; /* size of the new table; 0: unknown */
  uint32_t kind;      /* enum mapscope_kind */
  uint32_t trigger;   /* enum mapscope_trigger */
  const char* type;   /* name of the map's type, NUL-terminated, at most 63 bytes; NULL: unknown */
};

#ifdef __cplusplus
#define MAPSCOPE_CHECK_(condition) static_assert(condition, #condition)
#else
#define MAPSCOPE_CHECK_(condition) _Static_assert(condition, #condition)
#endif
MAPSCOPE_CHECK_(__builtin_offsetof(struct mapscope_growth, old_slots) == 0);
MAPSCOPE_CHECK_(__builtin_offsetof(struct mapscope_growth, new_slots) == 8);
MAPSCOPE_CHECK_(__builtin_offsetof(struct mapscope_growth, entries) == 16);
MAPSCOPE_CHECK_(__builtin_offsetof(struct mapscope_growth, new_bytes) == 24);
MAPSCOPE_CHECK_(__builtin_offsetof(struct mapscope_growth, kind) == 32);
MAPSCOPE_CHECK_(__builtin_offsetof(struct mapscope_growth, trigger) == 36);
MAPSCOPE_CHECK_(__builtin_offsetof(struct mapscope_growth, type) == 40);
MAPSCOPE_CHECK_(sizeof(struct mapscope_growth) == 48);
#undef MAPSCOPE_CHECK_

/* "used" keeps what only assembly refers to, also in link-time optimisation; "hidden" lets it be
 * reached without a PLT. */
#define MAPSCOPE_IMPLEMENTATION __attribute__((used, noinline, visibility("hidden")))

#ifdef __x86_64__
/* clang-format off */

/* Stands at file scope, followed by a semicolon. The symbol runs the implementation by a jump. */
#define MAPSCOPE_ENTRY(symbol, implementation)                  \
  __asm__(MAPSCOPE_OPEN_(symbol)                                \
          "jmp " #implementation "\n"                           \
          MAPSCOPE_CLOSE_(symbol))

/* The same, but the symbol spans the return as well: a 1-byte nop stands before its only ret. */
#define MAPSCOPE_SPAN(symbol, implementation)                   \
  __asm__(MAPSCOPE_OPEN_(symbol)                                \
          "sub $8, %rsp\n.cfi_adjust_cfa_offset 8\n"            \
          "call " #implementation "\n"                          \
          "add $8, %rsp\n.cfi_adjust_cfa_offset -8\n"           \
          "nop\nret\n"                                          \
          MAPSCOPE_CLOSE_(symbol))

#define MAPSCOPE_OPEN_(symbol)                                  \
  ".pushsection .text." #symbol ",\"ax\",@progbits\n"           \
  ".p2align 4\n"                                                \
  ".globl " #symbol "\n"                                        \
  ".protected " #symbol "\n"                                    \
  ".type " #symbol ", @function\n"                              \
  #symbol ":\n"                                                 \
  ".cfi_startproc\n"                                            \
  "nop\n"

#define MAPSCOPE_CLOSE_(symbol)                                 \
  ".cfi_endproc\n"                                              \
  ".size " #symbol ", .-" #symbol "\n"                          \
  ".popsection\n"

/* clang-format on */
#endif /* __x86_64__ */

#endif /* MAPSCOPE_TARGET_MAP_MAPSCOPE_MAP_H_ */
