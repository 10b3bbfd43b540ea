#!/usr/bin/env bash
# Measures what a greedy client does to a polite one: the latency of one image at a time, alone and beside many calls of many images
# from another address, with each queue policy. Prints a table in Markdown. docs/batching.md explains it.
#
#   scripts/measure-fairness.sh [--calls 1000] [--images 64] [--seconds 10] [--repeat 3] [--build build/release] [-- OPTION…]
#     --calls, --images  calls in flight of the greedy client, and images in each
#     --seconds          of each measurement; --repeat: measurements, each with a server of its own
#     OPTION…            of the server
#
# The server has the first CPU, and the clients have the second. There the polite one comes first, where chrt may see to it, so that it
# waits for the server and not for the other client. Needs jq, taskset, the addresses 127.0.0.1 and ::1, and a build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

calls=1000 images=64 seconds=10 repeat=3 build=build/release
while (($# > 0)); do
  case $1 in
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --calls | --images | --seconds | --repeat)
      [[ ${2:-} =~ ^[1-9][0-9]{0,3}$ ]] || { echo "measure-fairness.sh: $1 is '${2:-}', wanted 1 to 9999" >&2; exit 2; }
      declare "${1#--}=$2" ;;
    --build) build=${2:?"measure-fairness.sh: --build wants a folder"} ;;
    --) shift; break ;;
    *) echo "measure-fairness.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
  esac
  shift 2
done
for program in hellocnn-server hellocnn; do
  [[ -x $build/bin/$program ]] || { echo "measure-fairness.sh: no $build/bin/$program; build it first" >&2; exit 1; }
done

scratch=$(mktemp -d)
server= greedy=
finish() {
  set +e
  [[ -n $greedy ]] && kill -9 "$greedy" 2>/dev/null
  [[ -n $server ]] && kill "$server" 2>/dev/null
  wait
  rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM

first=()
if chrt -f 1 true 2>/dev/null; then first=(chrt -f 1); else echo "measure-fairness.sh: chrt is not permitted, so clients share a CPU" >&2; fi

# measure: runs the polite client; prints its p50 and p99 in ms, and how many of its calls failed.
measure() {
  taskset -c 1 "${first[@]}" "$build/bin/hellocnn" load --server "[::1]:$port" --concurrency 1 --warm-up 1s --duration "${seconds}s" \
    --output json > "$scratch/polite.json"
  jq -r '.runs[0] | "\(.latency_seconds.p50 * 1000) \((.latency_seconds.p99 // .latency_seconds.max) * 1000) \(.failed)"' "$scratch/polite.json"
}

echo "| policy | alone: p50, p99 | beside: p50, p99 | ratio of p99 | failed | greedy images/s |"
echo "|---|---|---|---|---|---|"
for ((round = 0; round < repeat; ++round)); do
  for policy in fifo fair; do
    taskset -c 0 "$build/bin/hellocnn-server" --listen '[::]:0' --metrics-listen off --log-level error --threads 1 --drain-delay 0s \
      --queue-policy "$policy" "$@" > "$scratch/ready" &
    server=$!
    until grep -q ready "$scratch/ready"; do sleep 0.1; done
    port=$(sed 's/.*grpc=[^ ]*:\([0-9]*\) .*/\1/' "$scratch/ready")
    read -r p50 p99 _ < <(measure)
    taskset -c 1 "$build/bin/hellocnn" load --server "127.0.0.1:$port" --concurrency "$calls" --images-per-request "$images" \
      --warm-up 0s --duration "$((seconds + 3))s" --deadline 60s --output json > "$scratch/greedy.json" &
    greedy=$!
    sleep 1
    read -r beside50 beside99 failed < <(measure)
    wait "$greedy" || true
    greedy=
    rate=$(jq '.runs[0].images_per_second' "$scratch/greedy.json")
    kill "$server"
    wait "$server" || true
    server=
    printf '| %s | %.2f, %.2f ms | %.2f, %.2f ms | %.1f | %s | %.0f |\n' "$policy" "$p50" "$p99" "$beside50" "$beside99" \
      "$(jq -n "$beside99 / $p99")" "$failed" "$rate"
  done
done
