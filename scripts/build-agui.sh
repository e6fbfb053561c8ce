#!/usr/bin/env bash
# Makes the bundle of the chat page at /ag-ui from the official client of AG-UI. Only who changes services/gateway/web
# needs this, and Node.js for it; the bundle stands in the repository.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../services/gateway/web"

npm ci --ignore-scripts --no-audit --no-fund
npm run --silent build
ls -l ../gateway/pages/agui
