#!/usr/bin/env bash
# Builds the image with the first of docker, podman and buildah that works (`make image`).
#
#     IMAGE=registry.example/tallymill:1.2 PLATFORMS=linux/amd64,linux/arm64 make image
#
# PYTHON_IMAGE replaces the base image, for example by one of a registry of your own. BUILD_OPTIONS are given to the
# builder as they are, for example `--push` or `--network host`.
set -euo pipefail
cd "$(dirname "$0")/../.."

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
image=${IMAGE:-tallymill:$version}
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
options=(--file deploy/image/Dockerfile --build-arg "VERSION=$version" --build-arg "REVISION=$revision")
[ -z "${PYTHON_IMAGE:-}" ] || options+=(--build-arg "PYTHON_IMAGE=$PYTHON_IMAGE")
[ -z "${PLATFORMS:-}" ] || options+=(--platform "$PLATFORMS")
read -r -a more <<<"${BUILD_OPTIONS:-}"
options+=("${more[@]}")

# podman and buildah collect the images of several processors under a name of another kind. buildx has one for both.
several=--tag
[[ "${PLATFORMS:-}" != *,* ]] || several=--manifest

if docker buildx version >/dev/null 2>&1 && docker version >/dev/null 2>&1; then
  exec docker buildx build "${options[@]}" --tag "$image" .
elif podman version >/dev/null 2>&1; then
  exec podman build "${options[@]}" "$several" "$image" .
elif buildah version >/dev/null 2>&1; then
  exec buildah build --layers "${options[@]}" "$several" "$image" .
fi
echo "image: docker (with its engine and buildx), podman or buildah is needed to build $image" >&2
exit 1
