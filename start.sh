#!/usr/bin/env bash
# start.sh PORT [options]: builds what needs building, then becomes parley-server. Its options: start.sh --help
set -euo pipefail
root=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")") # and no cd: paths in the options are the caller's
"$root/compile.sh"

server=$root/dist/parley-server
export PARLEY_KILL=${PARLEY_KILL:-any} # whoever is on the network may stop it, as the labs expect

# Asks the loader alone, which takes a few ms. Where that is not glibc's, --help is what runs.
if libraries=$(LD_TRACE_LOADED_OBJECTS=1 "$server" --help 2>&1) && [[ $libraries != *'not found'* ]]; then
  exec "$server" "$@"
fi

unset NODE_OPTIONS
for node in "$root/node_modules/.bin/node" node; do
  if "$node" -e 'process.exit(parseInt(process.versions.node, 10) < 26 ? 1 : 0)' 2>/dev/null; then
    echo "parley: dist/parley-server cannot run here, taking $("$node" --version) and dist/server.mjs" >&2
    exec "$node" --max-semi-space-size=1 --disable-sigusr1 "$root/dist/server.mjs" "$@"
  fi
done
echo 'parley: dist/parley-server cannot run here: needs glibc 2.28 or later, libstdc++6 and libatomic1' >&2
exit 1
