// SPDX-License-Identifier: Apache-2.0
#include "agent/symbolize/unwinder.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace mapscope {
namespace {

constexpr pid_t kThread = 1;  // libdwfl wants a number; there is one thread
constexpr size_t kDwarfRegisters = 17;

// Place in pt_regs of DWARF's registers 0 to 16 (System V ABI for x86-64, figure 3.36).
constexpr std::array<ms_register, kDwarfRegisters> kPlace = {
    MS_REG_AX,  MS_REG_DX,  MS_REG_CX,  MS_REG_BX,  MS_REG_SI,  MS_REG_DI,
    MS_REG_BP,  MS_REG_SP,  MS_REG_R8,  MS_REG_R9,  MS_REG_R10, MS_REG_R11,
    MS_REG_R12, MS_REG_R13, MS_REG_R14, MS_REG_R15, MS_REG_IP};

}  // namespace

// What libdwfl calls.
struct UnwinderCallbacks {
  static int find_elf(Dwfl_Module*, void** user, const char*, Dwarf_Addr, char**, Elf** elf) {
    *elf = static_cast<Module*>(*user)->elf_to_unwind_by();
    return -1;  // no descriptor of its own
  }

  static int find_debuginfo(Dwfl_Module*, void**, const char*, Dwarf_Addr, const char*, const char*,
                            GElf_Word, char**) {
    return -1;  // unwinding needs none, and the standard search would ask a server
  }

  static pid_t next_thread(Dwfl*, void* self, void** thread) {
    if (*thread != nullptr) return 0;
    *thread = self;
    return kThread;
  }

  static bool get_thread(Dwfl*, pid_t, void* self, void** thread) {
    *thread = self;
    return true;
  }

  static bool read_memory(Dwfl*, Dwarf_Addr address, Dwarf_Word* word, void* self) {
    const ms_stack_record& record = *static_cast<const Unwinder*>(self)->record_;
    const uint64_t from = record.registers[MS_REG_SP];
    const uint64_t bytes = std::min<uint64_t>(record.stack_bytes, MS_STACK_BYTES);
    if (address < from || bytes < sizeof(*word) || address - from > bytes - sizeof(*word))
      return false;
    std::memcpy(word, record.stack + (address - from), sizeof(*word));
    return true;
  }

  static bool set_registers(Dwfl_Thread* thread, void* self) {
    const ms_stack_record& record = *static_cast<const Unwinder*>(self)->record_;
    std::array<Dwarf_Word, kDwarfRegisters> registers{};
    for (size_t i = 0; i < registers.size(); ++i) registers[i] = record.registers[kPlace[i]];
    return dwfl_thread_state_registers(thread, 0, registers.size(), registers.data());
  }

  static int take_frame(Dwfl_Frame* frame, void* argument) {
    auto* self = static_cast<Unwinder*>(argument);
    CodeAddress address;
    bool is_activation = false;
    if (!dwfl_frame_pc(frame, &address.pc, &is_activation) || address.pc == 0)
      return DWARF_CB_ABORT;
    address.is_return = !is_activation;
    self->addresses_->push_back(address);
    return self->addresses_->size() < self->max_frames_ ? DWARF_CB_OK : DWARF_CB_ABORT;
  }

  static constexpr Dwfl_Callbacks kFiles = {find_elf, find_debuginfo, nullptr, nullptr};
  static constexpr Dwfl_Thread_Callbacks kThreads = {next_thread,   get_thread, read_memory,
                                                     set_registers, nullptr,    nullptr};
};

Result<std::unique_ptr<Unwinder>> Unwinder::create(
    std::span<const std::unique_ptr<Module>> modules) {
  std::unique_ptr<Unwinder> self(new Unwinder);
  self->dwfl_ = dwfl_begin(&UnwinderCallbacks::kFiles);
  if (self->dwfl_ == nullptr)
    return Error{ErrorKind::kSystem, std::string("libdwfl: ") + dwfl_errmsg(-1)};
  dwfl_report_begin(self->dwfl_);
  for (const auto& module : modules) {
    // libdwfl takes the bias to be the module's start minus the first segment's address.
    const uint64_t start = module->bias() + module->elf().first_vaddr();
    if (start >= module->end()) continue;
    Dwfl_Module* reported =
        dwfl_report_module(self->dwfl_, module->path().c_str(), start, module->end());
    void** user = nullptr;
    if (reported == nullptr) continue;
    dwfl_module_info(reported, &user, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
    *user = module.get();
  }
  if (dwfl_report_end(self->dwfl_, nullptr, nullptr) != 0 ||
      !dwfl_attach_state(self->dwfl_, nullptr, kThread, &UnwinderCallbacks::kThreads, self.get())) {
    return Error{ErrorKind::kUnsupported, std::string("libdwfl: ") + dwfl_errmsg(-1)};
  }
  return self;
}

Unwinder::~Unwinder() { dwfl_end(dwfl_); }

void Unwinder::unwind(const ms_stack_record& record, size_t max_frames,
                      std::vector<CodeAddress>& addresses) {
  addresses.clear();
  record_ = &record;
  max_frames_ = max_frames;
  addresses_ = &addresses;
  // Its result says only whether the outermost frame was reached; a cut-off copy never reaches it.
  (void)dwfl_getthread_frames(dwfl_, kThread, &UnwinderCallbacks::take_frame, this);
  record_ = nullptr;
  addresses_ = nullptr;
}

}  // namespace mapscope
