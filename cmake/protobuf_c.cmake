# SPDX-License-Identifier: Apache-2.0
# mapscope_messages(NAME PATH): the library NAME of the messages in PATH, a .proto file; its header is PATH's with .pb-c.h
# for .proto. Generated, so it is not held to the project's warnings.
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
find_program(PROTOC_C protoc-c REQUIRED)

function(mapscope_messages name path)
  cmake_path(GET path PARENT_PATH directory)
  cmake_path(REMOVE_EXTENSION path LAST_ONLY OUTPUT_VARIABLE stem)
  file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/${directory})
  set(generated ${PROJECT_BINARY_DIR}/${stem}.pb-c.c ${PROJECT_BINARY_DIR}/${stem}.pb-c.h)
  add_custom_command(
    OUTPUT ${generated}
    COMMAND ${PROTOC_C} --c_out=${PROJECT_BINARY_DIR} ${path}
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    DEPENDS ${PROJECT_SOURCE_DIR}/${path}
    VERBATIM)
  add_library(${name} STATIC ${generated})
  target_include_directories(${name} SYSTEM PUBLIC ${PROJECT_BINARY_DIR})
  target_link_libraries(${name} PUBLIC PkgConfig::PROTOBUF_C)
endfunction()
