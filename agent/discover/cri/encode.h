// SPDX-License-Identifier: Apache-2.0
// agent/discover/cri/encode.h – the bytes of a message, for UnaryCall::message. Threads: any.
#pragma once

#include <protobuf-c/protobuf-c.h>

#include <cstdint>
#include <string>

namespace mapscope {

inline std::string encode(const ProtobufCMessage& message) {
  std::string out(protobuf_c_message_get_packed_size(&message), '\0');
  protobuf_c_message_pack(&message, reinterpret_cast<uint8_t*>(out.data()));
  return out;
}

}  // namespace mapscope
