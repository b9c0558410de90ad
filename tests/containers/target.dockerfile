# SPDX-License-Identifier: Apache-2.0
# The load program in a container: what the agent watches there. NAME is what its process is called.
ARG BASE
FROM ${BASE}
RUN apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends libfmt9
ARG NAME=store
COPY target /usr/local/bin/${NAME}
