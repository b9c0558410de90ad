# SPDX-License-Identifier: Apache-2.0
# Compiles through ccache where it is installed. One checkout finds what another has compiled: names below the project's
# directory are made relative, and debug info names the files as the repository does either way. A launcher that the user has
# chosen stays. tests/checks/tidy takes this one off again, up to its last setting.
option(MAPSCOPE_COMPILER_CACHE "Compile through ccache where it is installed" ON)
find_program(MAPSCOPE_CCACHE ccache)
if(MAPSCOPE_COMPILER_CACHE AND MAPSCOPE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  foreach(language C CXX)
    set(CMAKE_${language}_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1 ${MAPSCOPE_CCACHE})
  endforeach()
endif()
