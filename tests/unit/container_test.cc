// SPDX-License-Identifier: Apache-2.0
#include "agent/discover/container.h"

#include <gtest/gtest.h>

#include <string>

namespace mapscope {
namespace {

#define ID "589e0c7a7d3c7b0e2f4f1d9a6b8c5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d"
#define ID2 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UID "1a2b3c4d-5e6f-4a1b-8c2d-9e0f1a2b3c4d"
#define UID_ "1a2b3c4d_5e6f_4a1b_8c2d_9e0f1a2b3c4d"
#define STATIC_UID "96e1ac4f0c6ee0a2fcaa8f0f2d3a9d17"

struct Case {
  const char* name;
  const char* text;
  Container expected;
};

constexpr const char* kNone = "";

// As the engines write them, found in /proc/PID/cgroup of nodes of each kind.
const Case kCases[] = {
    {"Host", "0::/init.scope\n", {}},
    {"Service", "0::/system.slice/ssh.service\n", {}},
    {"ContainerdSystemdV2",
     "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
     ".slice/cri-containerd-" ID ".scope\n",
     {ID, UID}},
    {"GuaranteedPodV2",
     "0::/kubepods.slice/kubepods-pod" UID_ ".slice/cri-containerd-" ID ".scope\n",
     {ID, UID}},
    {"StaticPod",
     "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" STATIC_UID
     ".slice/cri-containerd-" ID ".scope\n",
     {ID, STATIC_UID}},
    {"CrioSystemdV2",
     "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice/crio-" ID
     ".scope/container\n",
     {ID, UID}},
    {"CrioMonitorIsOutside",
     "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_
     ".slice/crio-conmon-" ID ".scope\n",
     {}},
    {"CgroupfsV1",
     "12:pids:/kubepods/burstable/pod" UID "/" ID "\n11:memory:/kubepods/burstable/pod" UID "/" ID
     "\n1:name=systemd:/kubepods/burstable/pod" UID "/" ID "\n",
     {ID, UID}},
    {"CgroupfsGuaranteedV1", "3:cpu,cpuacct:/kubepods/pod" UID "/" ID "\n", {ID, UID}},
    {"ContainerdWithoutSlices",
     "0::/system.slice/containerd.service/kubepods-burstable-pod" UID_ ".slice:cri-containerd:" ID
     "\n",
     {ID, kNone}},
    {"DockerSystemdV2", "0::/system.slice/docker-" ID ".scope\n", {ID, kNone}},
    {"DockerCgroupfsV1", "5:devices:/docker/" ID "\n1:name=systemd:/docker/" ID "\n", {ID, kNone}},
    {"DockerUnderKubelet",
     "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice/docker-" ID
     ".scope\n",
     {ID, UID}},
    {"PodmanRootV2", "0::/machine.slice/libpod-" ID ".scope\n", {ID, kNone}},
    {"PodmanRootlessV2",
     "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope/container\n",
     {ID, kNone}},
    {"PodmanMonitorIsOutside", "0::/machine.slice/libpod-conmon-" ID ".scope\n", {}},
    {"PodmanCgroupfsV1", "10:memory:/libpod_parent/libpod-" ID2 "\n", {ID2, kNone}},
    {"HybridWithEmptyHierarchies",
     "9:name=systemd:/\n8:pids:/kubepods/besteffort/pod" UID "/" ID "\n0::/\n",
     {ID, UID}},
    {"KindNodeItself", "0::/system.slice/docker-" ID ".scope/init.scope\n", {ID, kNone}},
    {"PodInAKindNode",
     "0::/system.slice/docker-" ID2
     ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
     "kubelet-kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID ".scope\n",
     {ID, UID}},
    {"PodInAMinikubeNodeV1",
     "4:memory:/docker/" ID2 "/kubepods/burstable/pod" UID "/" ID "\n",
     {ID, UID}},
    {"ReaderInAnotherCgroupNamespace",
     "0::/../../kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice/cri-containerd-" ID
     ".scope\n",
     {ID, UID}},
    {"SiblingInTheReadersPod", "0::/../cri-containerd-" ID ".scope\n", {ID, kNone}},
    {"ReadersOwn", "0::/\n", {}},
    {"IdTooShort", "0::/docker/589e0c7a7d3c\n", {}},
    {"IdWithOtherDigits",
     "0::/docker/589E0C7A7D3C7B0E2F4F1D9A6B8C5E4F3A2B1C0D9E8F7A6B5C4D3E2F1A0B9C8D\n",
     {}},
    {"PodWithoutContainer", "0::/kubepods/burstable/pod" UID "\n", {}},
    {"UidOfWrongForm", "0::/kubepods/pod1a2b3c4d/" ID "\n", {ID, kNone}},
    {"PathWithColons", "0::/a:b/docker-" ID ".scope\n", {ID, kNone}},
    {"NoLineFeed", "0::/docker/" ID, {ID, kNone}},
    {"Nothing", "", {}},
    {"NoLines", "garbage", {}},
    {"OneColon", "0:\n", {}},
};

class Cgroups : public testing::TestWithParam<Case> {};

TEST_P(Cgroups, NameTheContainerAndThePod) {
  const Container found = parse_cgroups(GetParam().text);
  EXPECT_EQ(found.id, GetParam().expected.id);
  EXPECT_EQ(found.pod_uid, GetParam().expected.pod_uid);
}

INSTANTIATE_TEST_SUITE_P(All, Cgroups, testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(Cgroups, LongAndBinaryPathsAreNoContainer) {
  EXPECT_EQ(parse_cgroups("0::/" + std::string(4096, 'a') + "\n"), Container());
  EXPECT_EQ(parse_cgroups(std::string("0::/docker/\xff\xfe\0\"}\n", 16)), Container());
  EXPECT_EQ(parse_cgroups("0::" + std::string(60000, '/')), Container());
}

}  // namespace
}  // namespace mapscope
