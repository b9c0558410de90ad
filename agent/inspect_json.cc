// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "agent/inspect.h"
#include "agent/inspect_words.h"

namespace mapscope {
namespace {

using Json = nlohmann::ordered_json;

Json common_json(const ProbeSpec& spec) {
  return {{"kind", kind_name(spec.descriptor.kind)},
          {"symbol", spec.symbol},
          {"site", site_name(spec.site)}};
}

Json probe_json(const PlannedProbe& probe) {
  Json out = common_json(*probe.spec);
  out["function"] = probe.function;
  out["offset"] = probe.symbol_offset;
  out["vaddr"] = fmt::format("{:#x}", probe.vaddr);
  out["file_offset"] = fmt::format("{:#x}", probe.file_offset);
  out["instruction"] = probe.instruction;
  out["class"] = to_string(probe.site_class);
  out["why"] = probe.spec->why;
  out["why_here"] = probe.why_here;
  return out;
}

Json plan_json(const ProbePlan& plan) {
  Json out = {{"runtime", plan.runtime->name}};
  if (!plan.match.version.empty()) out["version"] = plan.match.version;
  if (plan.match.unverified) out["unverified"] = true;
  out["partial"] = !plan.unseen.empty();
  for (const char* list : {"probes", "missing", "unseen"}) out[list] = Json::array();
  for (const PlannedProbe& probe : plan.probes) out["probes"].push_back(probe_json(probe));
  for (const MissingProbe& missing : plan.missing) {
    if (missing.absent) continue;
    Json entry = common_json(*missing.spec);
    entry["reason"] = missing.reason;
    out["missing"].push_back(entry);
  }
  for (const UnseenCopy& unseen : plan.unseen) {
    Json entry = common_json(*unseen.spec);
    entry["function"] = unseen.host;
    entry["reason"] = unseen.reason;
    out["unseen"].push_back(entry);
  }
  out["absent"] = absent_functions(plan);
  return out;
}

Json go_json(const GoFacts& go) {
  Json out = Json::object();
  if (!go.build.text.empty()) out["version"] = go.build.text;
  if (!go.build.profile.empty()) out["profile"] = go.build.profile;
  out["settings_known"] = go.build.has_settings;
  out["experiments"] = go.build.experiments;
  if (!go.goroutines) {
    out["goroutines_unknown"] = go.goroutines_unknown;
    return out;
  }
  const GoroutineLayout& layout = *go.goroutines;
  out["goroutines"] = {{"g", layout.g_in_register ? "r14" : "fs:-8"},
                       {"status", layout.status},
                       {"goid", layout.goid},
                       {"start_pc", layout.start_pc},
                       {"m_id", layout.m_id},
                       {"m_curg", layout.m_curg},
                       {"m_p", layout.m_p}};
  return out;
}

Json looked_for_json() {
  Json out = Json::array();
  for (const Runtime* runtime : all_runtimes()) {
    const std::vector<std::string_view> symbols(runtime->looked_for.begin(),
                                                runtime->looked_for.end());
    out.push_back({{"runtime", runtime->name}, {"symbols", symbols}});
  }
  return out;
}

void add_rooms(const Inspection& in, Json* out) {
  (*out)["rooms"] = Json::array();
  for (const ProbePlan& plan : in.plans) (*out)["rooms"].push_back(plan_json(plan));
  (*out)["refused"] = Json::array();
  for (const RefusedRoom& room : in.refused)
    (*out)["refused"].push_back({{"runtime", room.runtime->name}, {"reason", room.reason}});
}

}  // namespace

std::string inspection_json(const Inspection& in) {
  Json out = {{"binary", in.path}};
  if (!in.build_id.empty()) out["build_id"] = in.build_id;
  out["kernel"] = kernel_text(in.kernel);
  out["mode"] = mode_name(in.mode);
  out["supported"] = in.unsupported.empty();
  if (in.costs) {
    out["probe_cost_ns"] = {{"nop", whole_ns(in.costs->nop_ns)},
                            {"push", whole_ns(in.costs->push_ns)},
                            {"single_stepped", whole_ns(in.costs->single_stepped_ns)}};
  }
  if (in.go) out["go"] = go_json(*in.go);
  if (in.unsupported.empty()) {
    add_rooms(in, &out);
  } else {
    out["reason"] = in.unsupported;
    out["looked_for"] = looked_for_json();
  }
  // A path may be any bytes.
  return out.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace mapscope
