#!/usr/bin/env bash
# What the image's packages are (`make sbom`), and whether a vulnerability of one is known (`make audit`).
# The two tools have an environment of their own in the cache, pinned by hash. tallymill does not need them.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/../.."

cache=${TALLYMILL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tallymill}
uv=$(.venv/bin/python -c 'from ops.local.downloads.wheels import uv_file; print(uv_file())')
python=$(.venv/bin/python -c 'import sys; print(sys.executable)')

# environment REQUIREMENTS FOLDER: a new environment with these packages, from uv's cache if all are there.
environment() {
  "$uv" venv --quiet --python "$python" "$2"
  "$uv" pip sync --quiet --offline --python "$2/bin/python" --require-hashes "$1" 2>/dev/null ||
    "$uv" pip sync --quiet --python "$2/bin/python" --require-hashes "$1"
}

tools=$cache/audit-$(sha256sum <requirements/audit.txt | cut -c1-12)
if [ ! -x "$tools/bin/pip-audit" ]; then
  mkdir -p "$cache"
  new=$(mktemp -d "$cache/new-audit-XXXXXX")
  environment requirements/audit.txt "$new"
  mv -T "$new" "$tools" 2>/dev/null || rm -rf "$new" # another run was quicker
fi

case "${1:-}" in
sbom)
  # The packages as they are installed in the image: with their licences, and with what each needs.
  out=${2:?the file to write}
  installed=$(mktemp -d)
  trap 'rm -rf "$installed"' EXIT
  environment requirements/runtime.txt "$installed/environment"
  mkdir -p "$(dirname "$out")"
  "$tools/bin/python" -P -m cyclonedx_py environment --output-reproducible --of JSON --pyproject pyproject.toml \
    --mc-type application --output-file "$out" "$installed/environment/bin/python" 2>/dev/null
  "$tools/bin/python" -P deploy/image/hashes.py requirements/runtime.txt "$out"
  echo "wrote $out"
  ;;
audit)
  exec "$tools/bin/python" -P deploy/image/audit.py requirements/runtime.txt
  ;;
*)
  echo "usage: supply.sh sbom FILE | audit" >&2
  exit 2
  ;;
esac
