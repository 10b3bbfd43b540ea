#!/usr/bin/env bash
# Type-checks the dashboards against Grafana's own types: npm's @grafana/schema, with tsc --strict.
#
#   tests/deploy/check_grafana_schema.sh [FOLDER]     other dashboards than deploy/grafana/dashboards
#
# Needs npm and the network, and is therefore no part of the tests. Works in a temporary folder.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
dashboards=$(cd "${1:-$root/deploy/grafana/dashboards}" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

echo '{"private": true, "type": "module"}' >package.json
npm install --silent --no-audit --no-fund @grafana/schema@13.2.3 typescript@5.9.3
cp "$root/tests/deploy/grafana_schema.ts" .
count=0
for dashboard in "$dashboards"/*.json; do
  name=$(basename "$dashboard" .json)
  # A literal, so that properties that Grafana does not know are errors too.
  { echo "import type { CheckedDashboard } from './grafana_schema.js';"
    echo "export const dashboard: CheckedDashboard ="
    cat "$dashboard"
    echo ";"; } >"$name.ts"
  count=$((count + 1))
done
npx tsc --strict --noEmit --module nodenext --target es2022 --skipLibCheck ./*.ts
echo "check_grafana_schema.sh: $count dashboards of $dashboards agree with @grafana/schema 13.2.3"
