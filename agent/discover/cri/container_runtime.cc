// SPDX-License-Identifier: Apache-2.0
#include "agent/discover/cri/container_runtime.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "agent/discover/cri/encode.h"
#include "agent/discover/cri/messages.pb-c.h"
#include "agent/discover/cri/unary_call.h"

namespace mapscope {
namespace {

struct MessageDeleter {
  void operator()(ProtobufCMessage* message) const {
    protobuf_c_message_free_unpacked(message, nullptr);
  }
};

// A decoded answer.
template <typename Message>
class Answer {
 public:
  explicit Answer(ProtobufCMessage* message) : message_(message) {}
  const Message* operator->() const { return reinterpret_cast<const Message*>(message_.get()); }

 private:
  std::unique_ptr<ProtobufCMessage, MessageDeleter> message_;
};

template <typename Message>
Result<Answer<Message>> ask(const UnaryCall& question, const ProtobufCMessageDescriptor& type) {
  auto bytes = call(question);
  if (!bytes) return std::move(bytes).error();
  ProtobufCMessage* message = protobuf_c_message_unpack(
      &type, nullptr, bytes->size(), reinterpret_cast<const uint8_t*>(bytes->data()));
  if (message == nullptr) {
    return Error{ErrorKind::kCorrupt,
                 question.socket + ": answers " + question.method + " with something else"};
  }
  return Answer<Message>(message);
}

UnaryCall question(const std::string& socket, int stop_fd, const char* method,
                   std::string message) {
  UnaryCall out;
  out.socket = socket;
  out.method = std::string("/runtime.v1.RuntimeService/") + method;
  out.message = std::move(message);
  out.stop_fd = stop_fd;
  return out;
}

// The library's strings are never null; an id is all that can be filtered by.
std::string list_request(const std::string& id) {
  std::string text = id;
  Mapscope__Cri__Filter filter = MAPSCOPE__CRI__FILTER__INIT;
  filter.id = text.data();
  Mapscope__Cri__ListRequest request = MAPSCOPE__CRI__LIST_REQUEST__INIT;
  request.filter = &filter;
  return encode(request.base);
}

}  // namespace

Result<std::string> ContainerRuntime::version() const {
  const Mapscope__Cri__VersionRequest request = MAPSCOPE__CRI__VERSION_REQUEST__INIT;
  auto answer = ask<Mapscope__Cri__VersionResponse>(
      question(socket_, stop_fd_, "Version", encode(request.base)),
      mapscope__cri__version_response__descriptor);
  if (!answer) return std::move(answer).error();
  std::string text = std::string((*answer)->runtime_name) + " " + (*answer)->runtime_version;
  std::ranges::replace_if(
      text, [](char byte) { return byte < ' ' || byte > '~'; }, '?');
  return text;
}

Result<std::optional<ContainerName>> ContainerRuntime::find(const std::string& container_id) const {
  ContainerName name;
  name.container_id = container_id;
  auto containers = ask<Mapscope__Cri__ListContainersResponse>(
      question(socket_, stop_fd_, "ListContainers", list_request(container_id)),
      mapscope__cri__list_containers_response__descriptor);
  if (!containers) return std::move(containers).error();
  // What holds a pod's namespaces is a container, too, and in no list of them.
  std::string sandbox = container_id;
  for (size_t i = 0; i < (*containers)->n_containers; ++i) {
    const Mapscope__Cri__Container& container = *(*containers)->containers[i];
    if (container.id != container_id) continue;
    sandbox = container.pod_sandbox_id;
    if (container.metadata != nullptr) name.container = container.metadata->name;
  }
  auto sandboxes = ask<Mapscope__Cri__ListPodSandboxResponse>(
      question(socket_, stop_fd_, "ListPodSandbox", list_request(sandbox)),
      mapscope__cri__list_pod_sandbox_response__descriptor);
  if (!sandboxes) return std::move(sandboxes).error();
  for (size_t i = 0; i < (*sandboxes)->n_items; ++i) {
    const Mapscope__Cri__PodSandbox& item = *(*sandboxes)->items[i];
    if (item.id != sandbox || item.metadata == nullptr) continue;
    name.pod_uid = item.metadata->uid;
    name.pod_namespace = item.metadata->namespace_;
    name.pod = item.metadata->name;
    return std::optional(std::move(name));
  }
  return std::optional<ContainerName>();
}

}  // namespace mapscope
