// SPDX-License-Identifier: Apache-2.0
// cri_pod SOCKET start NAMESPACE POD UID CONTAINER IMAGE COMMAND…  starts a pod with one container
//                                 as a kubelet does; prints the ids of the sandbox and the
//                                 container
// cri_pod SOCKET remove SANDBOX_ID  ends it, and everything in it
// cri_pod SOCKET image IMAGE       status 0 when the runtime has it and starts pods
// The container sees the host's programs and libraries, read-only, and has the host's network.
#include <array>
#include <cstdio>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "agent/discover/cri/encode.h"
#include "agent/discover/cri/unary_call.h"
#include "tests/containers/cri/pod.pb-c.h"

namespace mapscope::test {
namespace {

constexpr std::chrono::seconds kPatience{60};
const std::string kRuntime = "/runtime.v1.RuntimeService/";
const std::string kImages = "/runtime.v1.ImageService/";

// The id in the answer, if there is one.
std::string ask(const std::string& socket, const std::string& method,
                const ProtobufCMessage& message) {
  const auto answer =
      call({.socket = socket, .method = method, .message = encode(message), .patience = kPatience});
  if (!answer) throw std::runtime_error(method + ": " + answer.error().text);
  CriPod__Id* id = cri_pod__id__unpack(nullptr, answer->size(),
                                       reinterpret_cast<const uint8_t*>(answer->data()));
  if (id == nullptr) throw std::runtime_error(method + ": an answer that is none");
  std::string text = id->id;
  cri_pod__id__free_unpacked(id, nullptr);
  return text;
}

// The messages point at each other, so they stay where they are.
class Pod {
 public:
  // REQUIRES: the words outlive it.
  Pod(char* pod_namespace, char* name, char* uid)
      : cgroup_(std::string("/kubepods-mapscope-test/pod") + uid) {
    metadata_.namespace_ = pod_namespace;
    metadata_.name = name;
    metadata_.uid = uid;
    namespaces_.network = CRI_POD__NAMESPACE_MODE__NODE;
    security_.namespace_options = &namespaces_;
    linux_.cgroup_parent = cgroup_.data();
    linux_.security_context = &security_;
    config_.metadata = &metadata_;
    config_.linux_config = &linux_;
  }
  Pod(const Pod&) = delete;
  Pod& operator=(const Pod&) = delete;
  ~Pod() = default;

  // The id of its sandbox.
  std::string run(const std::string& socket) {
    CriPod__RunPodSandboxRequest request = CRI_POD__RUN_POD_SANDBOX_REQUEST__INIT;
    request.config = &config_;
    return ask(socket, kRuntime + "RunPodSandbox", request.base);
  }

  // The id of the container.
  std::string start(const std::string& socket, std::string sandbox_id,
                    CriPod__ContainerConfig& container) {
    CriPod__CreateContainerRequest create = CRI_POD__CREATE_CONTAINER_REQUEST__INIT;
    create.pod_sandbox_id = sandbox_id.data();
    create.config = &container;
    create.sandbox_config = &config_;
    std::string container_id = ask(socket, kRuntime + "CreateContainer", create.base);
    CriPod__Id started = CRI_POD__ID__INIT;
    started.id = container_id.data();
    ask(socket, kRuntime + "StartContainer", started.base);
    return container_id;
  }

 private:
  std::string cgroup_;
  Mapscope__Cri__PodSandboxMetadata metadata_ = MAPSCOPE__CRI__POD_SANDBOX_METADATA__INIT;
  CriPod__NamespaceOption namespaces_ = CRI_POD__NAMESPACE_OPTION__INIT;
  CriPod__LinuxSandboxSecurityContext security_ = CRI_POD__LINUX_SANDBOX_SECURITY_CONTEXT__INIT;
  CriPod__LinuxPodSandboxConfig linux_ = CRI_POD__LINUX_POD_SANDBOX_CONFIG__INIT;
  CriPod__PodSandboxConfig config_ = CRI_POD__POD_SANDBOX_CONFIG__INIT;
};

// NAMESPACE POD UID CONTAINER IMAGE COMMAND…
void start(const std::string& socket, std::span<char*> words) {
  Pod pod(words[0], words[1], words[2]);
  const std::string sandbox_id = pod.run(socket);
  std::printf("%s\n", sandbox_id.c_str());
  std::fflush(stdout);

  Mapscope__Cri__ContainerMetadata metadata = MAPSCOPE__CRI__CONTAINER_METADATA__INIT;
  metadata.name = words[3];
  CriPod__ImageSpec image = CRI_POD__IMAGE_SPEC__INIT;
  image.image = words[4];
  std::array<std::string, 3> shared = {"/usr", "/lib", "/lib64"};
  std::array<CriPod__Mount, shared.size()> mounts{};
  std::array<CriPod__Mount*, shared.size()> mount_list{};
  for (size_t i = 0; i < shared.size(); ++i) {
    mounts[i] = CRI_POD__MOUNT__INIT;
    mounts[i].container_path = shared[i].data();
    mounts[i].host_path = shared[i].data();
    mounts[i].readonly = 1;
    mount_list[i] = &mounts[i];
  }
  const std::span<char*> command = words.subspan(5);
  CriPod__ContainerConfig container = CRI_POD__CONTAINER_CONFIG__INIT;
  container.metadata = &metadata;
  container.image = &image;
  container.n_command = command.size();
  container.command = command.data();
  container.n_mounts = mount_list.size();
  container.mounts = mount_list.data();
  std::printf("%s\n", pod.start(socket, sandbox_id, container).c_str());
}

void remove(const std::string& socket, char* sandbox_id) {
  CriPod__Id sandbox = CRI_POD__ID__INIT;
  sandbox.id = sandbox_id;
  ask(socket, kRuntime + "StopPodSandbox", sandbox.base);
  ask(socket, kRuntime + "RemovePodSandbox", sandbox.base);
}

void find_image(const std::string& socket, char* name) {
  CriPod__ImageSpec image = CRI_POD__IMAGE_SPEC__INIT;
  image.image = name;
  CriPod__ImageStatusRequest request = CRI_POD__IMAGE_STATUS_REQUEST__INIT;
  request.image = &image;
  if (ask(socket, kImages + "ImageStatus", request.base).empty())
    throw std::runtime_error(std::string("there is no image ") + name);
}

}  // namespace
}  // namespace mapscope::test

int main(int argc, char** argv) try {
  const std::span<char*> words(argv, static_cast<size_t>(argc));
  const std::string what = argc > 2 ? words[2] : "";
  if (what == "start" && argc > 8) {
    mapscope::test::start(words[1], words.subspan(3));
  } else if (what == "image" && argc == 4) {
    mapscope::test::find_image(words[1], words[3]);
  } else if (what == "remove" && argc == 4) {
    mapscope::test::remove(words[1], words[3]);
  } else {
    std::fprintf(stderr,
                 "cri_pod SOCKET start NAMESPACE POD UID CONTAINER IMAGE COMMAND…\n"
                 "cri_pod SOCKET remove SANDBOX_ID\n"
                 "cri_pod SOCKET image IMAGE\n");
    return 2;
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "cri_pod: %s\n", error.what());
  return 1;
}
