#!/usr/bin/env bash
# Builds the images and measures them: size, how fast each server is ready, and its resident memory. The servers' starts take
# turns.
#
#   scripts/measure-image.sh [--json] [--runs N]     N starts, 9 unless given; medians are printed
#
# Ready: from the start of the process, as Docker notes it, to the server's line "ready". Memory: at that moment, and after the
# 10,000 test digits have been sent five times. Needs docker. docs/performance.md has figures.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

json=false runs=9
while (($#)); do
  case $1 in
    --json) json=true ;;
    --runs) shift; runs=${1:-} ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "measure-image.sh: unknown argument '$1'; --json, --runs and --help are known" >&2; exit 2 ;;
  esac
  shift
done
[[ $runs =~ ^[1-9][0-9]*$ ]] || { echo "measure-image.sh: --runs is '$runs', wanted a number above 0" >&2; exit 2; }

targets=(slim server client loadtest)
servers=(slim server)
declare -A image bytes
for target in "${targets[@]}"; do
  echo "measure-image.sh: building $target" >&2
  image[$target]=$(docker build --quiet --target "$target" .)
  bytes[$target]=$(docker image inspect --format '{{.Size}}' "${image[$target]}")
done

container=
trap '[[ -z $container ]] || docker rm --force "$container" >/dev/null' EXIT

# start_server TARGET: sets `container` to a server that is ready, and `seconds` to how long it took.
start_server() {
  container=$(docker run --detach --read-only --cap-drop ALL "${image[$1]}" "${options[@]}")
  local ready='' started
  for ((i = 0; i < 300; ++i)); do
    ready=$(docker logs --timestamps "$container" 2>/dev/null | sed -n 's/ hellocnn-server ready.*//p')
    [[ -z $ready ]] || break
    sleep 0.1
  done
  [[ -n $ready ]] || { echo "measure-image.sh: the server was not ready after 30 s:" >&2; docker logs "$container" >&2; exit 1; }
  started=$(docker inspect --format '{{.State.StartedAt}}' "$container")
  seconds=$(awk -v a="$(date --date "$started" +%s%N)" -v b="$(date --date "$ready" +%s%N)" 'BEGIN {printf "%.3f", (b - a) / 1e9}')
}

remove_server() {
  docker rm --force "$container" >/dev/null
  container=
}

# resident: the server's memory in bytes, as the kernel counts it.
resident() { docker top "$container" -eo pid,rss | awk 'NR == 2 {print $2 * 1024}'; }

median() { printf '%s\n' "$@" | sort -n | awk '{value[NR] = $1} END {print value[int((NR + 1) / 2)]}'; }

# What each server is for: the one with LibTorch would serve without it otherwise.
options_of() { options=(); [[ $1 == slim ]] || options=(--engine=torch); }

declare -A starts residents start memory after
for ((run = 1; run <= runs; ++run)); do
  for server in "${servers[@]}"; do
    echo "measure-image.sh: $server, start $run of $runs" >&2
    options_of "$server"
    start_server "$server"
    starts[$server]+="$seconds "
    residents[$server]+="$(resident) "
    if ((run == runs)); then
      echo "measure-image.sh: $server, 50,000 images" >&2
      for _ in 1 2 3 4 5; do
        docker run --rm --network "container:$container" "${image[loadtest]}" evaluate --data /data/mnist-test >/dev/null
      done
      after[$server]=$(resident)
    fi
    remove_server
  done
done
for server in "${servers[@]}"; do
  # shellcheck disable=SC2086  # one word a run
  start[$server]=$(median ${starts[$server]}) memory[$server]=$(median ${residents[$server]})
done

if $json; then
  list() { local IFS=,; echo "$*"; }
  echo '{'
  for target in "${targets[@]}"; do
    printf '  "%s": {"image_bytes": %s' "$target" "${bytes[$target]}"
    if [[ -n ${start[$target]:-} ]]; then
      # shellcheck disable=SC2086
      printf ', "start_to_ready_seconds": %s, "starts": [%s], "resident_bytes": {"ready": %s, "after_50000_images": %s}' \
        "${start[$target]}" "$(list ${starts[$target]})" "${memory[$target]}" "${after[$target]}"
    fi
    if [[ $target == "${targets[-1]}" ]]; then echo '}'; else echo '},'; fi
  done
  echo '}'
else
  megabytes() { awk -v bytes="$1" 'BEGIN {printf "%.1f MB", bytes / 1e6}'; }
  row() { printf '%-36s %10s %10s\n' "$@"; }
  row "" slim "with LibTorch"
  row "image of the server" "$(megabytes "${bytes[slim]}")" "$(megabytes "${bytes[server]}")"
  row "start to ready, median of $runs" "${start[slim]} s" "${start[server]} s"
  row "resident when ready, median of $runs" "$(megabytes "${memory[slim]}")" "$(megabytes "${memory[server]}")"
  row "resident after 50,000 images" "$(megabytes "${after[slim]}")" "$(megabytes "${after[server]}")"
  row "image: client" "$(megabytes "${bytes[client]}")" ""
  row "image: loadtest" "$(megabytes "${bytes[loadtest]}")" ""
fi
