# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Images and containers without a registry, in a store of their own below ~/.cache: a Debian 12 made of the distribution's
# packages, and the image that deploy/Dockerfile makes on it. Layers are kept, so that a second run builds nothing anew.
# REQUIRES: root is the project's directory; this user is root. Sets: started_containers.

readonly containers_cache=${XDG_CACHE_HOME:-$HOME/.cache}/mapscope/containers
readonly base_image=localhost/mapscope-base:bookworm agent_image=localhost/mapscope:test
# crun refuses hybrid cgroups; the default ulimits are above what may be set where root lacks CAP_SYS_RESOURCE.
readonly container_options=(--runtime runc --ulimit nofile=20000:20000 --ulimit nproc=10000:10000 --network host)
started_containers=()

# The compiler's cache of RUN --mount=type=cache is in TMPDIR.
use_container_store() {
  mkdir -p "$containers_cache/tmp"
  printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/storage"\nrunroot = "/run/mapscope-containers"\n' "$containers_cache" \
    >"$containers_cache/storage.conf"
  export CONTAINERS_STORAGE_CONF=$containers_cache/storage.conf TMPDIR=$containers_cache/tmp
}

# make_base_image: as a registry's debian:bookworm-slim, with the apt source of this machine in it.
make_base_image() {
  local mirror tar=$containers_cache/tmp/base.tar
  podman image exists "$base_image" && return
  mirror=$("$root/deploy/debian_mirror" bookworm) || return
  echo "making a Debian 12 of its packages"
  mmdebstrap --quiet --variant=minbase --include=ca-certificates bookworm "$tar" "$mirror" || return
  podman import --quiet "$tar" "$base_image" || return
  rm -f "$tar"
}

# build_image NAME DOCKERFILE CONTEXT [OPTION…]
build_image() {
  local name=$1 file=$2 context=$3
  shift 3
  buildah build --isolation chroot --layers --build-arg "BASE=$base_image" --tag "$name" --file "$file" "$@" "$context"
}

build_agent_image() {
  make_base_image || return
  echo "building deploy/Dockerfile (minutes where the compiler's cache is empty)"
  build_image "$agent_image" "$root/deploy/Dockerfile" "$root" --build-arg "REVISION=$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)"
}

image_bytes() { podman image inspect --format '{{.Size}}' "$1"; }

# start_container NAME OPTION… IMAGE [WORD…]: in the background; NAME with this shell's pid is what it is called.
start_container() {
  local name=$1-$$
  shift
  started_containers+=("$name")
  podman run --detach --name "$name" "${container_options[@]}" "$@" >/dev/null
}

container_id() { podman inspect --format '{{.Id}}' "$1-$$"; }
container_log() { podman logs "$1-$$" 2>&1; }

stop_container() {
  podman rm --force --time 0 "$1-$$" >/dev/null 2>&1 || true
}

stop_containers() {
  local name
  for name in "${started_containers[@]}"; do podman rm --force --time 0 "$name" >/dev/null 2>&1 || true; done
}
