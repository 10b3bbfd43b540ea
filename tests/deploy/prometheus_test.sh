#!/usr/bin/env bash
# Checks deploy/prometheus with promtool.
#
#   tests/deploy/prometheus_test.sh config    prometheus.yml and the rules that it names are valid, and pass promtool's lint
#   tests/deploy/prometheus_test.sh alerts    each alert fires when it should, and only then (alert_rules_test.yml)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

promtool=$root/build/tools/promtool
if [[ ! -x $promtool ]] && ! promtool=$(command -v promtool); then
  echo "prometheus_test.sh: neither build/tools/promtool nor promtool on PATH; scripts/fetch-promtool.sh fetches it" >&2
  exit 1
fi

cd "$root/deploy/prometheus"
case ${1:-} in
  config) "$promtool" check config --lint=all --lint-fatal prometheus.yml ;;
  alerts) "$promtool" test rules alert_rules_test.yml ;;
  *) echo "prometheus_test.sh: expected config or alerts, not '${1:-}'" >&2; exit 2 ;;
esac
