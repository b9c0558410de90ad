// SPDX-License-Identifier: Apache-2.0
#include "agent/seccomp_filter.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <initializer_list>
#include <memory>
#include <string>

namespace mapscope {
namespace {

// Found with strace over the modes, events, signals and ends of the agent, and what the C library
// makes of a call on other versions and kernels.
constexpr std::initializer_list<int> kAllowed = {
    // memory
    SCMP_SYS(brk),
    SCMP_SYS(madvise),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
    // threads and time
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(futex),
    SCMP_SYS(futex_waitv),
    SCMP_SYS(getcpu),
    SCMP_SYS(getpid),
    SCMP_SYS(getpgid),
    SCMP_SYS(getppid),
    SCMP_SYS(gettid),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(membarrier),
    SCMP_SYS(nanosleep),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rseq),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(time),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    // who and where
    SCMP_SYS(getegid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage),
    SCMP_SYS(getuid),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    // files; those that open them are below
    SCMP_SYS(access),
    SCMP_SYS(close),
    SCMP_SYS(close_range),
    SCMP_SYS(dup),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(fadvise64),
    SCMP_SYS(flock),
    SCMP_SYS(fstat),
    SCMP_SYS(fstatfs),
    SCMP_SYS(getcwd),
    SCMP_SYS(getdents64),
    SCMP_SYS(lseek),
    SCMP_SYS(lstat),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(newfstatat),
    SCMP_SYS(openat2),
    SCMP_SYS(pread64),
    SCMP_SYS(preadv),
    SCMP_SYS(read),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(readv),
    SCMP_SYS(stat),
    SCMP_SYS(statfs),
    SCMP_SYS(statx),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    // waiting
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(eventfd2),
    SCMP_SYS(pipe2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(pselect6),
    SCMP_SYS(select),
    SCMP_SYS(signalfd4),
    // clients
    SCMP_SYS(accept4),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown),
    // processes and probes
    SCMP_SYS(perf_event_open),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(wait4),
    SCMP_SYS(waitid),
};

// Maps are read and written, probes come and go; programs and maps are all there already.
constexpr std::initializer_list<unsigned> kBpfCommands = {
    BPF_MAP_LOOKUP_ELEM,    BPF_MAP_UPDATE_ELEM,
    BPF_MAP_DELETE_ELEM,    BPF_MAP_GET_NEXT_KEY,
    BPF_MAP_LOOKUP_BATCH,   BPF_MAP_UPDATE_BATCH,
    BPF_MAP_DELETE_BATCH,   BPF_MAP_LOOKUP_AND_DELETE_BATCH,
    BPF_LINK_CREATE,        BPF_LINK_DETACH,
    BPF_OBJ_GET_INFO_BY_FD, BPF_PROG_TEST_RUN};

constexpr std::initializer_list<unsigned long> kIoctls = {PERF_EVENT_IOC_ENABLE,
                                                          PERF_EVENT_IOC_DISABLE,
                                                          PERF_EVENT_IOC_SET_BPF,
                                                          TCGETS,
                                                          TIOCGWINSZ,
                                                          FIONREAD};

constexpr std::initializer_list<int> kFcntls = {F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL,
                                                F_SETFL};
constexpr std::initializer_list<int> kPrctls = {PR_SET_NAME, PR_GET_NAME, PR_CAPBSET_READ,
                                                PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS};

struct FilterDeleter {
  void operator()(void* filter) const { seccomp_release(filter); }
};

// Adds rules and remembers the first that the library refused.
class Filter {
 public:
  Filter() : filter_(seccomp_init(SCMP_ACT_ERRNO(EPERM))) {
    if (!filter_) error_ = ENOMEM;
  }

  void allow(int call) { add(call, {}); }
  // Only with an argument whose bits of `mask` are `value`.
  void allow(int call, unsigned argument, uint64_t value, uint64_t mask = UINT64_MAX) {
    add(call, {scmp_arg_cmp{argument, SCMP_CMP_MASKED_EQ, mask, value}});
  }
  // 32 bits, as most arguments have: what stands above them is nobody's.
  template <typename Value>
  void allow_each(int call, unsigned argument, std::initializer_list<Value> values) {
    for (const Value value : values)
      allow(call, argument, static_cast<uint32_t>(value), UINT32_MAX);
  }
  void add(int call, std::initializer_list<scmp_arg_cmp> conditions) {
    add(SCMP_ACT_ALLOW, call, conditions);
  }
  void refuse(int call, int errno_value) {
    add(SCMP_ACT_ERRNO(static_cast<uint32_t>(errno_value)), call, {});
  }
  void set(scmp_filter_attr attribute, uint32_t value) {
    keep(seccomp_attr_set(filter_.get(), attribute, value));
  }
  int load() { return error_ != 0 ? error_ : -seccomp_load(filter_.get()); }

 private:
  void add(uint32_t action, int call, std::initializer_list<scmp_arg_cmp> conditions) {
    if (!filter_) return;
    keep(seccomp_rule_add_array(filter_.get(), action, call,
                                static_cast<unsigned>(conditions.size()), conditions.begin()));
  }
  void keep(int result) {
    if (result != 0 && error_ == 0) error_ = -result;
  }

  std::unique_ptr<void, FilterDeleter> filter_;
  int error_ = 0;
};

void add_rules(Filter& filter, pid_t child) {
  for (const int call : kAllowed) filter.allow(call);
  filter.allow_each(SCMP_SYS(bpf), 0, kBpfCommands);
  filter.allow_each(SCMP_SYS(ioctl), 1, kIoctls);
  filter.allow_each(SCMP_SYS(fcntl), 1, kFcntls);
  filter.allow_each(SCMP_SYS(prctl), 0, kPrctls);
  // No code comes into being: neither a library nor what an attacker wrote.
  filter.allow(SCMP_SYS(mmap), 2, 0, PROT_EXEC);
  filter.allow(SCMP_SYS(mprotect), 2, 0, PROT_EXEC);
  filter.allow(SCMP_SYS(openat), 2, O_RDONLY, O_ACCMODE | O_CREAT | O_TRUNC);
  filter.allow(SCMP_SYS(open), 1, O_RDONLY, O_ACCMODE | O_CREAT | O_TRUNC);
  filter.allow(SCMP_SYS(prlimit64), 2, 0);  // reads limits
  // Threads, no processes. What clone3 is asked for cannot be seen; without it the C library uses
  // clone.
  filter.allow(SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD);
  filter.refuse(SCMP_SYS(clone3), ENOSYS);
  // abort()
  filter.allow(SCMP_SYS(tgkill), 0, static_cast<uint32_t>(::getpid()), UINT32_MAX);
  if (child == 0) return;
  filter.allow(SCMP_SYS(kill), 0, static_cast<uint32_t>(child), UINT32_MAX);
  filter.allow_each(SCMP_SYS(ptrace), 0, {static_cast<int>(PTRACE_DETACH)});
}

}  // namespace

Status load_seccomp_filter(pid_t child, bool may_connect) {
  Filter filter;
  add_rules(filter, child);
  if (may_connect) {
    filter.allow(SCMP_SYS(socket), 0, AF_UNIX, UINT32_MAX);
    filter.allow(SCMP_SYS(connect));
  }
  filter.set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  filter.set(SCMP_FLTATR_CTL_TSYNC, 1);
  filter.set(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree: calls are looked up by the thousand
  if (const int error = filter.load(); error != 0)
    return system_error("the filter of system calls could not be installed", error);
  return Done{};
}

}  // namespace mapscope
