#!/usr/bin/env bash
# Measures how throughput grows with replicas: each in a network namespace of its own, joined by a bridge, with a CPU quota of its
# own; one client calls 1, 2, … of them with round_robin. Prints a table in Markdown. docs/scaling.md explains it.
#
#   scripts/measure-scaling.sh [--replicas 4] [--cpus 0.2] [--batch 1] [--concurrency 16] [--seconds 3] [--repeat 5] [--build build/release]
#     --cpus         CPUs of one replica; all of them and the client should fit in the machine
#     --batch        images in a call
#     --concurrency  calls in flight for each replica
#     --seconds      at least so long for one figure; --repeat: figures, of which the median, least and largest are printed
#
# Must be root, for namespaces and quotas (cgroup v1 or v2). Needs iproute2 and a build. Everything it makes is gone at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

replicas=4 cpus=0.2 batch=1 concurrency=16 seconds=3 repeat=5 build=build/release
usage() { sed -n '2,11s/^# \{0,1\}//p' "$0"; }
while (($# > 0)); do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --replicas | --batch | --concurrency | --seconds | --repeat)
      [[ ${2:-} =~ ^[1-9][0-9]{0,3}$ ]] || { echo "measure-scaling.sh: $1 is '${2:-}', wanted 1 to 9999" >&2; exit 2; }
      declare "${1#--}=$2" ;;
    --cpus)
      [[ ${2:-} =~ ^[0-9]+(\.[0-9]+)?$ && ! $2 =~ ^[0.]+$ ]] || { echo "measure-scaling.sh: --cpus is '${2:-}', wanted a number such as 0.25" >&2; exit 2; }
      cpus=$2 ;;
    --build) build=${2:?"measure-scaling.sh: --build wants a folder"} ;;
    *) echo "measure-scaling.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
  esac
  shift 2
done
((replicas <= 200)) || { echo "measure-scaling.sh: --replicas is $replicas, wanted at most 200" >&2; exit 2; }
((EUID == 0)) || { echo "measure-scaling.sh: needs root, for network namespaces and CPU quotas" >&2; exit 1; }
for program in hellocnn-server hellocnn; do
  [[ -x $build/bin/$program ]] || { echo "measure-scaling.sh: no $build/bin/$program; build it first" >&2; exit 1; }
done
command -v ip >/dev/null || { echo "measure-scaling.sh: no ip; install iproute2" >&2; exit 1; }

name=hellocnn-scaling-$$
scratch=$(mktemp -d)
# The root of this process's CPU controller.
if [[ -f /sys/fs/cgroup/cgroup.controllers ]]; then
  version=2 group=/sys/fs/cgroup/$name
else
  version=1 group=/sys/fs/cgroup/cpu/$name
fi

replica_pids() { cat "$group"/[0-9]*/cgroup.procs 2>/dev/null; }
finish() {
  set +e
  replica_pids | xargs -r kill
  wait
  for i in hub client $(seq "$replicas"); do ip netns del "$name-$i" 2>/dev/null; done
  find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
  rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM

# A share a hundred times the usual one, so that what else runs on the machine disturbs less.
mkdir "$group"
if ((version == 2)); then
  echo +cpu >/sys/fs/cgroup/cgroup.subtree_control
  echo +cpu >"$group/cgroup.subtree_control"
  echo 10000 >"$group/cpu.weight"
else
  echo 102400 >"$group/cpu.shares"
fi
# Periods of 10 ms rather than the usual 100: short runs are then not a matter of where in a period they began.
quota() { # FOLDER
  mkdir "$1"
  local microseconds
  microseconds=$(awk -v cpus="$cpus" 'BEGIN { printf "%d", cpus * 10000 }')
  ((microseconds >= 1000)) || { echo "measure-scaling.sh: --cpus is $cpus, wanted at least 0.1" >&2; exit 2; }
  if ((version == 2)); then
    echo "$microseconds 10000" >"$1/cpu.max"
  else
    echo 10000 >"$1/cpu.cfs_period_us"
    echo "$microseconds" >"$1/cpu.cfs_quota_us"
  fi
}

ip netns add "$name-hub"
ip -n "$name-hub" link add bridge type bridge
ip -n "$name-hub" link set bridge up
join() { # NAMESPACE ADDRESS: a host with one cable to the hub
  ip netns add "$name-$1"
  ip -n "$name-$1" link add eth0 type veth peer name "to-$1" netns "$name-hub"
  ip -n "$name-hub" link set "to-$1" master bridge up
  ip -n "$name-$1" address add "$2/24" dev eth0
  ip -n "$name-$1" link set lo up
  ip -n "$name-$1" link set eth0 up
}
run_in() { # NAMESPACE CGROUP COMMAND…
  local namespace=$name-$1 folder=$2
  shift 2
  # The cgroup first: in the namespace another /sys is mounted.
  bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$folder" ip netns exec "$namespace" "$@"
}

join client 10.77.0.254
mkdir "$group/client"
targets=()
for i in $(seq "$replicas"); do
  join "$i" "10.77.0.$i"
  quota "$group/$i"
  run_in "$i" "$group/$i" "$build/bin/hellocnn-server" --listen "10.77.0.$i:8500" --metrics-listen off --threads 1 \
    >"$scratch/$i.out" 2>"$scratch/$i.err" &
  targets+=("10.77.0.$i:8500")
done
for i in $(seq "$replicas"); do
  for ((tries = 0; tries < 600; ++tries)); do
    grep -q ready "$scratch/$i.out" && break
    ((tries < 10)) || [[ -n $(<"$group/$i/cgroup.procs") ]] || { cat "$scratch/$i.err" >&2; exit 1; }
    sleep 0.2
  done
  grep -q ready "$scratch/$i.out" || { echo "measure-scaling.sh: replica $i is not ready after two minutes" >&2; exit 1; }
done

ticks() { # of CPU time that the replicas have had
  for pid in $(replica_pids); do sed 's/.*) //' "/proc/$pid/stat"; done | awk '{ n += $12 + $13 } END { print n }'
}
# measure NAME COUNT [FLAG…]: appends "images/s, CPU seconds of the replicas a million images, CPUs of the replicas, CPUs of the client" to the file NAME.
measure() {
  local file=$scratch/$1 target in_flight=$((concurrency * $2))
  target=ipv4:$(IFS=,; echo "${targets[*]:0:$2}")
  shift 2
  local before end
  before=$(ticks)
  end=$((SECONDS + seconds))
  : >"$scratch/runs"
  while ((SECONDS < end)); do
    TIMEFORMAT='%U %S %R'
    { time run_in client "$group/client" "$build/bin/hellocnn" --server "$target" --timeout 60s "$@" evaluate \
      --data data/mnist-test --batch "$batch" --concurrency "$in_flight" --output json \
      >"$scratch/run.json" 2>"$scratch/client.err"; } 2>"$scratch/time" || { cat "$scratch/client.err" >&2; exit 1; }
    { sed -nE 's/.*"(images|elapsed_seconds)": ([0-9.]+).*/\2/p' "$scratch/run.json"; cat "$scratch/time"; } | xargs >>"$scratch/runs"
  done
  awk -v before="$before" -v after="$(ticks)" -v hertz="$(getconf CLK_TCK)" '
    { images += $1; elapsed += $2; client += $3 + $4; wall += $5 }
    END {
      cpu = (after - before) / hertz
      print images / elapsed, cpu / images * 1e6, cpu / elapsed, client / wall
    }' "$scratch/runs" >>"$file"
}
summary() { # FILE COLUMN FORMAT: median, least, largest
  cut -d' ' -f"$2" "$1" | sort -g | awk -v format="$3" '{ v[NR] = $1 } END { printf format, v[int((NR + 1) / 2)], v[1], v[NR] }'
}

measure warm "$replicas" --round-robin
for ((round = 1; round <= repeat; ++round)); do
  for n in $(seq "$replicas"); do measure "n$n" "$n" --round-robin; done
  measure first "$replicas"
done

echo "$cpus CPUs and one worker a replica, $batch images a call, $concurrency calls in flight a replica; median (least to largest) of $repeat"
echo
echo "| replicas | images/s | times one replica | CPU seconds of the replicas for a million images | CPUs of the replicas | CPUs of the client |"
echo "|---|---|---|---|---|---|"
one=$(summary "$scratch/n1" 1 '%d')
for row in $(seq "$replicas" | sed 's/^/n/') first; do
  label=${row#n}
  [[ $row != first ]] || label="$replicas, no round_robin"
  rate=$(summary "$scratch/$row" 1 '%d (%d to %d)')
  printf '| %s | %s | %.2f | %s | %s | %s |\n' "$label" "$rate" "$(awk -v a="${rate%% *}" -v b="$one" 'BEGIN { print a / b }')" \
    "$(summary "$scratch/$row" 2 '%.1f (%.1f to %.1f)')" "$(summary "$scratch/$row" 3 '%.2f')" "$(summary "$scratch/$row" 4 '%.2f')"
done
