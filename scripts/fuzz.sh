#!/usr/bin/env bash
# Fuzzes the parsers of bytes that come from others. Builds what it needs.
#
#   scripts/fuzz.sh [--seconds N] [--jobs N] [TARGET…]
#
#   --seconds N   seconds for each target; 30 if not given
#   --jobs N      targets at a time; 2 if not given
#   --list        print the names of the targets and exit
#
# Examples:
#   scripts/fuzz.sh                                  every target, as continuous integration does
#   scripts/fuzz.sh --seconds 3600 --jobs 1 pickle   one target for an hour
#   build/fuzz/bin/pickle_fuzzer FILE                one input once, to reproduce a failure
#
# Prints for each target how many inputs ran, the coverage (edges that were reached), and the size of the corpus. Exits with 1
# and prints the path of the input if a target fails. Inputs that were found stay in build/fuzz/corpus and are used again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail_usage() { echo "fuzz.sh: $1; see --help" >&2; exit 2; }
whole_number() { [[ ${2:-} =~ ^[1-9][0-9]{0,6}$ ]] || fail_usage "$1 is '${2:-}'; wanted a whole number from 1 to 9999999"; }

seconds=30 jobs=2 list=false wanted=()
while (($# > 0)); do
  case $1 in
    --seconds) whole_number "$1" "${2:-}"; seconds=$2; shift ;;
    --jobs) whole_number "$1" "${2:-}"; jobs=$2; shift ;;
    --list) list=true ;;
    -h | --help) sed -n '2,17s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) fail_usage "unknown argument '$1'" ;;
    *) wanted+=("$1") ;;
  esac
  shift
done

cmake --preset fuzz --log-level=WARNING >&2
mapfile -t targets < build/fuzz/fuzzers.txt
if $list; then printf '%s\n' "${targets[@]}"; exit 0; fi
for target in "${wanted[@]}"; do
  grep -qxF -- "$target" build/fuzz/fuzzers.txt || fail_usage "'$target' is no target; --list prints them"
done
if ((${#wanted[@]} > 0)); then targets=("${wanted[@]}"); fi
cmake --build --preset fuzz --target "${targets[@]/%/_fuzzer}" >&2

log_folder=build/fuzz/logs artifact_folder=build/fuzz/artifacts
mkdir -p "$log_folder" "$artifact_folder"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch  # for what targets write
unset "${!HELLOCNN_@}"  # options that the server would read
export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1 LSAN_OPTIONS=

# run TARGET: leaves a log and the exit status.
run() {
  local target=$1 found=build/fuzz/corpus/$1 seeds=fuzz/corpus/$1 dictionary=fuzz/dictionaries/$1.dict status=0
  local options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=128 -print_final_stats=1
    -artifact_prefix="$artifact_folder/$target-")
  # Room for images of floats, which have 4 KiB each.
  if [[ $target == *request ]]; then options+=(-max_len=16384); fi
  if [[ -e $dictionary ]]; then options+=(-dict="$dictionary"); fi
  mkdir -p "$found"
  timeout --kill-after=10 $((seconds + 120)) "build/fuzz/bin/${target}_fuzzer" "${options[@]}" "$found" "$seeds" \
    > "$log_folder/$target.log" 2>&1 || status=$?
  echo "$status" > "$log_folder/$target.status"
}

for target in "${targets[@]}"; do
  while (($(jobs -rp | wc -l) >= jobs)); do wait -n || true; done
  echo "fuzz.sh: $target for $seconds s" >&2
  run "$target" &
done
wait

failed=0
printf '%-16s %12s %10s %8s %10s  %s\n' target runs runs/s edges corpus result
for target in "${targets[@]}"; do
  log=$log_folder/$target.log
  runs=$(sed -nE 's/^stat::number_of_executed_units: *([0-9]+).*/\1/p' "$log")
  rate=$(sed -nE 's/^stat::average_exec_per_sec: *([0-9]+).*/\1/p' "$log")
  edges=$(sed -nE 's/^#[0-9]+.* cov: ([0-9]+) .*/\1/p' "$log" | tail -n 1)
  corpus=$(sed -nE 's/^#[0-9]+.* corp: ([0-9]+)\/.*/\1/p' "$log" | tail -n 1)
  status=$(cat "$log_folder/$target.status")
  result=ok
  if [[ $status != 0 ]]; then
    failed=$((failed + 1))
    result="FAILED ($status)"
  fi
  printf '%-16s %12s %10s %8s %10s  %s\n' "$target" "${runs:--}" "${rate:--}" "${edges:--}" "${corpus:--}" "$result"
done
((failed == 0)) && exit 0

for target in "${targets[@]}"; do
  [[ $(cat "$log_folder/$target.status") == 0 ]] && continue
  log=$log_folder/$target.log
  input=$(sed -nE 's/.*Test unit written to (.*)/\1/p' "$log" | tail -n 1)
  echo "FAILED: $target: ${input:-no input was kept}; log: $log"
  grep -aE '^fuzz: |ERROR: |runtime error: |SUMMARY: ' "$log" | head -n 5 || true
done
exit 1
