# SPDX-License-Identifier: Apache-2.0
# A Debian 12 that boots, with the package installed in it as its user would.
ARG BASE
FROM ${BASE}
RUN apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends systemd systemd-sysv dbus
COPY bootstrap debian_mirror dependencies.deb /tmp/deploy/
RUN /tmp/deploy/bootstrap image /tmp/deploy/dependencies.deb
COPY mapscope.deb /tmp/deploy/
RUN dpkg --install /tmp/deploy/mapscope.deb
