// SPDX-License-Identifier: Apache-2.0
#include "agent/discover/container.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace mapscope {
namespace {

constexpr size_t kMinIdBytes = 32;  // of a static pod's UID; container ids have 64
constexpr size_t kMaxIdBytes = 64;
constexpr size_t kUidBytes = 36;
constexpr std::string_view kScope = ".scope";
constexpr std::string_view kSlice = ".slice";
constexpr std::string_view kPod = "pod";
constexpr std::array<std::string_view, 5> kEngines = {"cri-containerd-", "crio-", "docker-",
                                                      "libpod-", "containerd-"};

bool is_hex(char character) {
  return (character >= '0' && character <= '9') || (character >= 'a' && character <= 'f');
}

bool is_id(std::string_view text, size_t min_bytes) {
  return text.size() >= min_bytes && text.size() <= kMaxIdBytes &&
         std::ranges::all_of(text, is_hex);
}

// The id in "crio-ID.scope", "ID" and the like; "" when it is none. What watches a container
// ("crio-conmon-ID.scope", "libpod-conmon-ID.scope") is not in it.
std::string_view container_id(std::string_view component) {
  if (component.ends_with(kScope)) component.remove_suffix(kScope.size());
  // The driver of containerd without a kubelet's slices: "slice:cri-containerd:ID".
  if (const size_t colon = component.rfind(':'); colon != std::string_view::npos)
    component.remove_prefix(colon + 1);
  for (const std::string_view engine : kEngines) {
    if (!component.starts_with(engine)) continue;
    component.remove_prefix(engine.size());
    break;
  }
  return is_id(component, kMaxIdBytes) ? component : std::string_view();
}

// "8-4-4-4-12" hex digits, or 32 of a static pod.
bool is_uid(std::string_view text) {
  if (text.size() != kUidBytes) return text.size() == kMinIdBytes && is_id(text, kMinIdBytes);
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

// The UID in "podUID" and "kubepods-burstable-podUID.slice", where systemd needs its dashes to be
// underscores; "" when it is none.
std::string pod_uid(std::string_view component) {
  if (component.ends_with(kSlice)) {
    component.remove_suffix(kSlice.size());
    const size_t at = component.rfind("-pod");
    if (at == std::string_view::npos) return {};
    component.remove_prefix(at + 1);
  }
  if (!component.starts_with(kPod)) return {};
  std::string uid(component.substr(kPod.size()));
  std::ranges::replace(uid, '_', '-');
  return is_uid(uid) ? uid : std::string();
}

Container parse_path(std::string_view path) {
  Container innermost;
  std::string pod;
  while (!path.empty()) {
    const size_t length = std::min(path.find('/'), path.size());
    const std::string_view component = path.substr(0, length);
    path.remove_prefix(std::min(length + 1, path.size()));
    if (std::string uid = pod_uid(component); !uid.empty()) {
      pod = std::move(uid);
    } else if (const std::string_view id = container_id(component); !id.empty()) {
      innermost = {std::string(id), std::exchange(pod, {})};
    }
  }
  return innermost;
}

}  // namespace

// The hierarchies of v1 agree where they say anything; the first that does counts.
Container parse_cgroups(std::string_view text) {
  while (!text.empty()) {
    const size_t length = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    Container container = parse_path(line.substr(second + 1));
    if (!container.id.empty()) return container;
  }
  return {};
}

}  // namespace mapscope
