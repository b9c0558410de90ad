# SPDX-License-Identifier: Apache-2.0
# What is installed: the agent, as sbin/agent because it needs root, so that `sudo agent --pid N` works, with its manual page and
# completions, and a systemd unit that is neither enabled nor started: watching every process is for the administrator to
# decide. Nothing else is needed at run time: the BPF programs are inside the agent.
# cpack -G DEB, in the build directory, makes a package whose dependencies are read from the agent itself.
if(TARGET agent)
  install(TARGETS agent RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
endif()
set(documents ${CMAKE_INSTALL_DATADIR}/doc/${PROJECT_NAME})
install(FILES deploy/debian/copyright LICENSES/BSD-2-Clause.txt README.md DESTINATION ${documents} OPTIONAL)

install(FILES deploy/man/agent.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES deploy/completions/agent.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME agent)
install(FILES deploy/completions/_agent DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES deploy/completions/agent.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES deploy/systemd/mapscope.service deploy/systemd/mapscope.socket DESTINATION lib/systemd/system)
install(FILES deploy/systemd/mapscope.default DESTINATION /etc/default RENAME mapscope)
install(FILES deploy/systemd/old-kernel.conf DESTINATION ${documents}/examples)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME ${PROJECT_NAME})
set(CPACK_PACKAGE_VENDOR "The Mapscope authors")
set(CPACK_PACKAGE_CONTACT "The Mapscope authors <maintainers@mapscope.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "shows what hash-map growth costs a running program")
set(CPACK_PACKAGE_DESCRIPTION
"An agent that watches the hash maps of running programs with BPF, without a
change to them: which map grew, from which line of code, how long the insert
stalled, what its thread did meanwhile, and who waited behind it. It prints
every growth and serves Prometheus metrics.")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/deploy/debian/conffiles ${PROJECT_SOURCE_DIR}/deploy/debian/postinst
  ${PROJECT_SOURCE_DIR}/deploy/debian/prerm ${PROJECT_SOURCE_DIR}/deploy/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
