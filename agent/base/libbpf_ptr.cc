// SPDX-License-Identifier: Apache-2.0
#include "agent/base/libbpf_ptr.h"

#include <bpf/libbpf.h>

namespace mapscope {

void LinkDeleter::operator()(bpf_link* link) const { bpf_link__destroy(link); }

void RingBufferDeleter::operator()(ring_buffer* ring) const { ring_buffer__free(ring); }

}  // namespace mapscope
