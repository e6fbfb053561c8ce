#!/usr/bin/env bash
# Installs what tests/npm names: the official Node clients that tests drive, and what steers a browser. Without npm, or
# without its registry, those tests are skipped, so this never fails.
set -euo pipefail

# A folder of somebody's own, in which these packages are already.
[ -z "${EARSHOT_NPM:-}" ] || exit 0

cd "$(dirname "${BASH_SOURCE[0]}")/../tests/npm"

# The lock file that node_modules was made from.
made_from=node_modules/.made-from.json

if cmp -s package-lock.json "$made_from"; then exit 0; fi
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "Node.js or npm is missing, so no test drives its clients or a browser:" \
        "sudo apt-get install nodejs npm, or brew install node"
    exit 0
fi
log=$(mktemp "${TMPDIR:-/tmp}/earshot-npm.XXXXXX")
trap 'rm -f "$log"' EXIT
echo "Installing the official Node clients into tests/npm/node_modules (about 100 MB on disk) …"
options=(--ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retries=1 --fetch-timeout=60000)
if npm ci "${options[@]}" >"$log" 2>&1; then
    cp package-lock.json "$made_from"
else
    rm -rf node_modules
    echo "npm could not fetch them, so no test drives them or a browser. It needs registry.npmjs.org, or a mirror:" \
        "export npm_config_registry=https://… It said: $(head -n 3 "$log" | tr '\n' ' ')"
fi
