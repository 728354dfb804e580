#!/usr/bin/env bash
# Brings dist/ up to date: installs the build tools when they are missing or old, builds when a source is newer.
# With nothing to do it is silent and quick. All it says goes to stderr.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

outputs=(dist/parley-server dist/parley-client dist/server.mjs dist/client.mjs)

say() { echo "parley: $*" >&2; }
die() { say "$@"; exit 1; }

installed() {
  [[ -e node_modules/.package-lock.json && ! package-lock.json -nt node_modules/.package-lock.json ]]
}

built() {
  local oldest=${outputs[0]} file newer
  for file in "${outputs[@]}"; do
    [[ -e $file ]] || return 1
    [[ $file -ot $oldest ]] && oldest=$file
  done
  newer=$(find src build.mjs package.json package-lock.json -type f -newer "$oldest" -print -quit)
  [[ -z $newer ]]
}

# One compile.sh at a time; the others wait, then look again.
lock() {
  mkdir -p build
  if command -v flock >/dev/null; then
    exec 9>build/lock
    flock 9
    return
  fi
  # no flock on macOS
  until mkdir build/lock.d 2>/dev/null; do
    local holder
    holder=$(cat build/lock.d/pid 2>/dev/null || true)
    if [[ -n $holder ]] && ! kill -0 "$holder" 2>/dev/null; then
      rm -rf build/lock.d # its holder was killed
    fi
    sleep 0.2
  done
  echo $$ >build/lock.d/pid
  trap 'rm -rf build/lock.d' EXIT
}

install() {
  say 'installing build tools (about 20 s) ...'
  # Whatever NODE_ENV says: the build tools are development dependencies, the base Node is an optional one.
  if ! npm ci --include=dev --include=optional --loglevel=error >build/npm-ci.log 2>&1 </dev/null; then
    cat build/npm-ci.log >&2
    die 'npm ci failed, see above'
  fi
}

build() {
  if node_modules/.bin/node --version >/dev/null 2>&1; then
    say 'building (about 10 s) ...'
    node_modules/.bin/node build.mjs >&2
  elif [[ $(major) -ge 26 ]]; then
    say "no executables: Node's own build cannot run here; building for the installed Node ..."
    node build.mjs --bundles >&2
  else
    die 'needs glibc 2.28 or later, libstdc++6 and libatomic1 (or an installed Node 26)'
  fi
}

# The major version of the installed node, 0 when there is none.
major() { node -p 'parseInt(process.versions.node, 10)' 2>/dev/null || echo 0; }

if installed && built; then exit 0; fi

unset NODE_OPTIONS # what suits the user's own programs may stop ours
[[ $(major) -ge 20 ]] || die "needs Node 20 or later to build, found $(node --version 2>/dev/null || echo none)"
command -v npm >/dev/null || die 'needs npm to build'
lock
installed || install
built || build
