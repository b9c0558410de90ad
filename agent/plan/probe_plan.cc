// SPDX-License-Identifier: Apache-2.0
#include "agent/plan/probe_plan.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <span>
#include <utility>

#include "agent/binary/instruction.h"
#include "agent/plan/choose_sites.h"
#include "agent/plan/found_place.h"
#include "agent/plan/inlined.h"
#include "agent/plan/layout_facts.h"
#include "agent/plan/site.h"

namespace mapscope {
namespace {

PlannedProbe planned(const ProbeSpec& spec, const Program& program, const FunctionCode& function,
                     const ChosenSite& site) {
  const Instruction& in = *site.instruction;
  const auto bytes = std::as_bytes(std::span(in.bytes).first(in.length));
  PlannedProbe probe;
  probe.spec = &spec;
  probe.descriptor = spec.descriptor;
  if (site.found) put_place(*site.found, &probe.descriptor);
  if (!site.is_return_on_top) probe.descriptor.flags &= static_cast<uint8_t>(~MS_AT_ENTRY);
  probe.descriptor.skip_eflags |= site.skip_eflags;
  probe.descriptor.flags |=
      static_cast<uint8_t>(static_cast<unsigned>(site.site_class) << MS_SITE_CLASS_SHIFT);
  probe.function = function.symbol.name;
  probe.vaddr = in.vaddr;
  // read_function() has read these bytes, so the address has an offset.
  probe.file_offset = program.elf.file_offset(in.vaddr).value();
  probe.symbol_offset = in.vaddr - function.symbol.vaddr;
  probe.bytes = {bytes.begin(), bytes.end()};
  probe.instruction = in.text;
  probe.site_class = site.site_class;
  probe.why_here = site.why;
  return probe;
}

std::vector<std::string_view> symbols_of(std::span<const ProbeSpec> specs) {
  std::vector<std::string_view> symbols;
  for (const ProbeSpec& spec : specs) symbols.push_back(spec.symbol);
  return symbols;
}

// What became of one spec.
struct Outcome {
  std::optional<Error> error;  // why there is no probe; empty when there is one
  bool is_complete = true;     // no copy of the function goes unseen
};

class Planner {
 public:
  Planner(const Program& program, const KernelFacts& kernel, ProbePlan* plan)
      : program_(&program),
        kernel_(kernel),
        copies_(program, plan->runtime->hosts, symbols_of(plan->match.probes)),
        plan_(plan) {}

  Status add(const ProbeSpec& spec) {
    if (spec.need == Need::kFallback) {
      if (needs_fallback_) add_fallback(spec);
      return Done{};
    }
    if (Status settled = settle(); !settled) return settled;
    first_unseen_ = plan_->unseen.size();
    const Outcome outcome = plan(spec);
    needs_fallback_ = outcome.error.has_value() || !outcome.is_complete;
    fallback_is_complete_ = true;
    fallbacks_ = 0;
    if (outcome.error) lost_ = {&spec, *outcome.error};
    return Done{};
  }

  // After the last spec, and after the fallbacks of each.
  Status settle() {
    const bool replaced = fallbacks_ > 0 && fallback_is_complete_;
    if (replaced) plan_->unseen.resize(first_unseen_);
    const std::optional<Lost> lost = std::exchange(lost_, std::nullopt);
    if (!lost || fallbacks_ > 0) return Done{};
    if (lost->spec->need == Need::kRequired)
      return Error{ErrorKind::kUnsupported, plan_->image_name + ": " + lost->error.text};
    miss(*lost->spec, lost->error);
    return Done{};
  }

 private:
  struct Lost {
    const ProbeSpec* spec;
    Error error;
  };

  void miss(const ProbeSpec& spec, const Error& error) {
    plan_->missing.push_back({&spec, error.text, error.kind == ErrorKind::kNotFound});
  }

  void add_fallback(const ProbeSpec& spec) {
    const size_t unseen = plan_->unseen.size();
    const Outcome outcome = plan(spec);
    const bool is_absent = outcome.error && outcome.error->kind == ErrorKind::kNotFound;
    if (!outcome.error) ++fallbacks_;
    if ((outcome.error && !is_absent) || !outcome.is_complete) fallback_is_complete_ = false;
    plan_->unseen.resize(unseen);
  }

  Status add_sites(const ProbeSpec& spec, std::string_view name,
                   std::span<const GoInlinedCode> within) {
    const Result<FunctionCode> function = read_function(*program_, name);
    if (!function) return function.error();
    const auto sites = choose_sites(*program_, *function, spec, within, kernel_);
    if (!sites) return sites.error();
    for (const ChosenSite& site : *sites) {
      PlannedProbe probe = planned(spec, *program_, *function, site);
      if (!has(probe)) plan_->probes.push_back(std::move(probe));
    }
    return Done{};
  }

  // Two probes may have the same fallback.
  [[nodiscard]] bool has(const PlannedProbe& wanted) const {
    return std::any_of(plan_->probes.begin(), plan_->probes.end(), [&](const PlannedProbe& probe) {
      return probe.vaddr == wanted.vaddr && probe.descriptor.kind == wanted.descriptor.kind;
    });
  }

  Outcome plan(const ProbeSpec& spec) {
    Outcome outcome;
    const Status own = add_sites(spec, spec.symbol, {});
    if (!own) outcome.error = own.error();
    if (spec.need == Need::kDetail) return outcome;
    for (const InlinedCopy& copy : copies_.of(spec.symbol)) {
      const Status added = spec.inlined == nullptr
                               ? Error{ErrorKind::kUnsupported, "no way to probe a copy is known"}
                               : add_sites(*spec.inlined, copy.host, copy.ranges);
      if (!added) {
        plan_->unseen.push_back({&spec, copy.host, added.error().text});
        outcome.is_complete = false;
      } else if (outcome.error && outcome.error->kind == ErrorKind::kNotFound) {
        outcome.error.reset();
      }
    }
    return outcome;
  }

  const Program* program_;
  KernelFacts kernel_;
  InlinedCopies copies_;
  ProbePlan* plan_;
  // Of the last spec that is no fallback.
  bool needs_fallback_ = false;
  std::optional<Lost> lost_;
  size_t first_unseen_ = 0;
  size_t fallbacks_ = 0;
  bool fallback_is_complete_ = true;
};

// That the program keeps types and maps as the newest version that was checked.
Status prove_unverified(const Match& match, const Program& program) {
  Status proven = program.go->check_map_types();
  if (proven) proven = prove_layout(program, match.facts);
  if (proven) return Done{};
  Error error = std::move(proven).error();
  error.text = program.elf.name() + ": " + match.version + ": " + error.text;
  return error;
}

}  // namespace

Result<KernelFacts> parse_kernel(std::string_view release) {
  KernelFacts facts;
  const char* end = release.data() + release.size();
  const auto major = std::from_chars(release.data(), end, facts.major);
  const bool has_minor = major.ec == std::errc() && major.ptr != end && *major.ptr == '.';
  if (!has_minor || std::from_chars(major.ptr + 1, end, facts.minor).ec != std::errc() ||
      facts.major < 0 || facts.minor < 0) {
    return Error{ErrorKind::kUsage,
                 "\"" + std::string(release) + "\" is not a kernel version such as 6.1"};
  }
  return facts;
}

Result<KernelFacts> running_kernel() {
  utsname name{};
  if (uname(&name) != 0) return system_error("uname", errno);
  return parse_kernel(name.release);
}

Result<ProbePlan> plan_probes(const Runtime& runtime, const Match& match, const Program& program,
                              const KernelFacts& kernel, Mode mode) {
  if (match.unverified) {
    if (Status proven = prove_unverified(match, program); !proven) return std::move(proven).error();
  }
  ProbePlan plan{&runtime, match, program.elf.name(), program.elf.build_id(), {}, {}, {}};
  Planner planner(program, kernel, &plan);
  for (const ProbeSpec& spec : match.probes) {
    if (spec.mode != Mode::kResizes && spec.mode != mode) continue;
    if (Status added = planner.add(spec); !added) return std::move(added).error();
  }
  if (Status settled = planner.settle(); !settled) return std::move(settled).error();
  return plan;
}

}  // namespace mapscope
