#!/usr/bin/env bash
# Compares what a call costs hellocnn load with what it costs ghz, another load generator for gRPC: the same message, the same number of
# calls under way over one connection, the same echo server, in turns. docs/load-testing.md says how to read it.
#
#   scripts/compare-ghz.sh [--rounds 5] [--seconds 5] [--concurrency 64] [--server-cpu 0] [--load-cpu 1] [--build build/release]
#     --rounds      times that each is run; medians are printed
#     --seconds     for one run
#     --server-cpu  that the echo server is pinned to; --load-cpu: that both generators are
#
# CPU time is all of a process's, user and system, from its start to its end. Needs a build with benchmarks, protoc, and ghz, which is not
# Debian's: with Go, `go install github.com/bojand/ghz/cmd/ghz@v0.120.0`; it is looked for in PATH, then where Go puts programs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rounds=5 seconds=5 concurrency=64 server_cpu=0 load_cpu=1 build=build/release
usage() { sed -n '2,11s/^# \{0,1\}//p' "$0"; }
while (($# > 0)); do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --rounds | --seconds | --concurrency | --server-cpu | --load-cpu)
      [[ ${2:-} =~ ^[0-9]{1,4}$ && ($2 != 0 || $1 == *-cpu) ]] || { echo "compare-ghz.sh: $1 is '${2:-}', wanted a number up to 9999" >&2; exit 2; }
      name=${1#--}
      declare "${name//-/_}=$2" ;;
    --build) build=${2:?"compare-ghz.sh: --build wants a folder"} ;;
    *) echo "compare-ghz.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
  esac
  shift 2
done
for program in hellocnn hellocnn-echo-server; do
  [[ -x $build/bin/$program ]] || { echo "compare-ghz.sh: no $build/bin/$program; build it first" >&2; exit 1; }
done
ghz=$(command -v ghz || true)
[[ -n $ghz ]] || ghz=${GOBIN:-${GOPATH:-$HOME/go}/bin}/ghz
if [[ ! -x $ghz ]]; then
  echo "compare-ghz.sh: no ghz in PATH, nor $ghz; with Go, it comes with: go install github.com/bojand/ghz/cmd/ghz@v0.120.0" >&2
  exit 1
fi

scratch=$(mktemp -d)
server=
finish() {
  [[ -z $server ]] || kill "$server" 2>/dev/null || true
  wait
  rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Both send one image of 8-bit grey levels a call.
printf 'images { gray8: "%s" }' "$(printf '\\200%.0s' {1..1024})" |
  protoc -I protos --encode=hellocnn.v1.ClassifyRequest hellocnn/v1/classifier_service.proto > "$scratch/request"

taskset -c "$server_cpu" "$build/bin/hellocnn-echo-server" > "$scratch/server" &
server=$!
until grep -q ready "$scratch/server"; do
  kill -0 "$server" || { echo "compare-ghz.sh: the echo server has ended" >&2; exit 1; }
  sleep 0.1
done
address=$(sed 's/.*grpc=//' "$scratch/server")

# Each prints the number of calls that were answered OK.
run_hellocnn() {
  taskset -c "$load_cpu" "$build/bin/hellocnn" --server "$address" load --concurrency "$concurrency" --duration "${seconds}s" --warm-up 0s \
    --output csv | awk -F, 'NR == 2 { print $5 }'
}
run_ghz() {
  taskset -c "$load_cpu" "$ghz" --insecure --proto protos/hellocnn/v1/classifier_service.proto --import-paths protos \
    --call hellocnn.v1.ClassifierService.Classify --binary-file "$scratch/request" --concurrency "$concurrency" --duration "${seconds}s" \
    --duration-stop wait --format summary "$address" | awk '$1 == "[OK]" { print $2 }'
}
server_ticks() { awk '{ print $14 + $15 }' "/proc/$server/stat"; }

TIMEFORMAT='%R %U %S'
# Lines of: generator, round, calls, seconds, CPU seconds of the generator, CPU seconds of the server.
for ((round = 1; round <= rounds; ++round)); do
  order=(hellocnn ghz)
  ((round % 2 == 1)) || order=(ghz hellocnn)
  for generator in "${order[@]}"; do
    before=$(server_ticks)
    { time "run_$generator" > "$scratch/calls"; } 2> "$scratch/time"
    after=$(server_ticks)
    read -r elapsed user system < <(tail -n 1 "$scratch/time")
    awk -v generator="$generator" -v round="$round" -v calls="$(cat "$scratch/calls")" -v elapsed="$elapsed" -v cpu="$user $system" \
      -v ticks="$((after - before))" -v hertz="$(getconf CLK_TCK)" \
      'BEGIN { split(cpu, part, " "); print generator, round, calls, elapsed, part[1] + part[2], ticks / hertz }' | tee -a "$scratch/runs" >&2
  done
done

awk -v seconds="$seconds" '
  function median(values, count,    i, j, kept) {
    for (i = 2; i <= count; ++i)
      for (j = i; j > 1 && values[j - 1] > values[j]; --j) { kept = values[j]; values[j] = values[j - 1]; values[j - 1] = kept }
    return count % 2 ? values[(count + 1) / 2] : (values[count / 2] + values[count / 2 + 1]) / 2
  }
  function column(array, generator,    i, values) {
    for (i = 1; i <= rounds; ++i) values[i] = array[generator, i]
    return median(values, rounds)
  }
  {
    rounds = $2 > rounds ? $2 : rounds
    each[$1, $2] = $3 / $5; rate[$1, $2] = $3 / seconds; cpu[$1, $2] = $5 / $3 * 1e6; server[$1, $2] = $6 / $3 * 1e6
  }
  END {
    print "| generator | calls per CPU-second | us of CPU a call | of the echo server | calls/s |\n|---|---|---|---|---|"
    for (i = 1; i <= 2; ++i) {
      name = i == 1 ? "hellocnn" : "ghz"
      printf "| %s | %.0f | %.1f | %.1f | %.0f |\n", name == "ghz" ? name : "hellocnn load", column(each, name), column(cpu, name), column(server, name), column(rate, name)
    }
    least = 1e9
    for (i = 1; i <= rounds; ++i) {
      ratios[i] = each["hellocnn", i] / each["ghz", i]
      if (ratios[i] < least) least = ratios[i]
      if (ratios[i] > most) most = ratios[i]
    }
    printf "\nhellocnn load, calls per CPU-second, times those of ghz: %.2f (%.2f to %.2f over %d rounds); at least 3 is wanted\n", median(ratios, rounds), least, most, rounds
  }' "$scratch/runs"
