#!/usr/bin/env bash
# Measures what is left of a server's useful work when more arrives than it can compute: its peak with a closed loop, and then its
# goodput, which is what it answers before the deadline, at a multiple of that peak. Prints a table in Markdown. ADR 18 explains it.
#
#   scripts/measure-overload.sh [--engine torch-eager] [--deadlines "20ms 50ms"] [--multiples "1 2 5"] [--images 1] [--seconds 5]
#                               [--repeat 3] [--build build/release]… [-- OPTION…]
#     --images   in each request
#     --seconds  of each measurement; --repeat: measurements, each with servers of its own
#     --build    may be given several times: the builds take turns, so that they can be compared
#     OPTION…    of the server
#
# The server has the first CPU, and the generator, which is that of the first build, has the second. A generator that uses nearly all
# of its CPU falls behind, and then the goodput is its own: offer larger requests. Needs jq, taskset and a build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail_usage() { echo "measure-overload.sh: $1; see --help" >&2; exit 2; }
engine=torch-eager deadlines="20ms 50ms" multiples="1 2 5" images=1 seconds=5 repeat=3 builds=()
while (($# > 0)); do
  case $1 in
    -h | --help) sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --engine | --deadlines | --multiples) declare "${1#--}=${2:?"measure-overload.sh: $1 wants a value"}" ;;
    --images | --seconds | --repeat)
      [[ ${2:-} =~ ^[1-9][0-9]{0,3}$ ]] || fail_usage "$1 is '${2:-}', wanted 1 to 9999"
      declare "${1#--}=$2" ;;
    --build) builds+=("${2:?"measure-overload.sh: --build wants a folder"}") ;;
    --) shift; break ;;
    *) fail_usage "unknown argument '$1'" ;;
  esac
  shift 2
done
((${#builds[@]} > 0)) || builds=(build/release)
for build in "${builds[@]}"; do
  [[ -x $build/bin/hellocnn-server ]] || { echo "measure-overload.sh: no $build/bin/hellocnn-server; build it first" >&2; exit 1; }
done
cli=${builds[0]}/bin/hellocnn
[[ -x $cli ]] || { echo "measure-overload.sh: no $cli; build it first" >&2; exit 1; }

scratch=$(mktemp -d)
server=
finish() {
  set +e
  [[ -n $server ]] && kill "$server" 2>/dev/null
  wait
  rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM

# load OPTION…: runs the generator. It exits with 1 if calls fail, which they must here.
load() {
  taskset -c 1 "$cli" load --server "127.0.0.1:$port" --images-per-request "$images" --connections 4 --warm-up 1s \
    --duration "${seconds}s" --output json "$@" > "$scratch/load.json" || (($? == 1))
}

echo "| build | deadline | offered | goodput | of the peak | p99 of the answers | the generator's CPU |"
echo "|---|---|---|---|---|---|---|"
for ((round = 0; round < repeat; ++round)); do
  for build in "${builds[@]}"; do
    taskset -c 0 "$build/bin/hellocnn-server" --listen 127.0.0.1:0 --metrics-listen off --log-level error --threads 1 --drain-delay 0s \
      --engine "$engine" "$@" > "$scratch/ready" &
    server=$!
    until grep -qs ready "$scratch/ready"; do
      sleep 0.1
      kill -0 "$server" 2>/dev/null || { echo "measure-overload.sh: the server of $build did not start" >&2; exit 1; }
    done
    port=$(sed 's/.*grpc=[^ ]*:\([0-9]*\) .*/\1/' "$scratch/ready")
    for deadline in $deadlines; do
      for multiple in $multiples; do
        load --concurrency 64  # each time, because a machine that is shared is not always as fast
        peak=$(jq '.runs[0].requests_per_second' "$scratch/load.json")
        rate=$(jq -n "$peak * $multiple | floor")
        load --rate "$rate" --deadline "$deadline"
        jq -r --arg row "| $build | $deadline | $multiple" --argjson peak "$peak" '.runs[0] |
          def rounded: . * 100 | round / 100;
          "\($row) (\(.wanted_requests_per_second | round)/s) | \(.requests_per_second | round)/s | " +
          "\(.requests_per_second / $peak | rounded) | \((.latency_seconds.p99 // 0) * 1000 | rounded) ms | " +
          "\(.generator.cpu_ratio * 100 | round)% |"' "$scratch/load.json"
      done
    done
    kill "$server"
    wait "$server" || true
    server=
  done
done
