#!/usr/bin/env bash
# Runs every check of the project, with all the set-up that they need. The last line says how many passed and failed.
#
#   scripts/test.sh            everything; well under an hour on 2 cores, from nothing
#   scripts/test.sh --quick    the optimised build and its tests only
#
# Stages, none of which stops the others:
#   format    clang-format agrees with every own file (with clang-format 14, whose verdict counts)
#   release   optimised build with GCC, all tests
#   dev       AddressSanitizer and UndefinedBehaviorSanitizer, all tests
#   tsan      ThreadSanitizer on the batching tests
#   tidy      all but LibTorch's users through Clang with its thread-safety analysis as errors: what is shipped through
#             clang-tidy (14, likewise), which says what the compiler says and more; tests through the compiler
#   deploy    the images and deploy/compose.yaml, built and run for real, where there is docker. HELLOCNN_WITH_DOCKER may
#             name a program that runs a command with docker at hand
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

quick=false
for argument in "$@"; do
  case $argument in
    --quick) quick=true ;;
    -h | --help) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "test.sh: unknown argument '$argument'; --quick and --help are known" >&2; exit 2 ;;
  esac
done

passed=0
failed=0
report=()

# LibTorch and protobuf keep some memory until the process ends; tests/lsan.supp names it. Own leaks are errors.
export LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp:print_suppressions=0"
export ASAN_OPTIONS="detect_leaks=1:detect_stack_use_after_return=1"
export UBSAN_OPTIONS="print_stacktrace=1"
export TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1"

jobs=$(nproc)

# Taken out of the environment: servers refuse variables of this kind that they don't know.
with_docker=${HELLOCNN_WITH_DOCKER:-}
unset HELLOCNN_WITH_DOCKER

say() { printf '\n=== %s\n' "$*"; }

# check NAME COMMAND…: one pass or one failure.
check() {
  local name=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $name"
    return 1
  fi
}

# stage NAME FUNCTION: runs it, notes the time and what it added to the count.
stage() {
  local name=$1 function=$2 start=$SECONDS passed_before=$passed failed_before=$failed
  say "$name"
  "$function"
  report+=("$(printf '%-8s %4d s  %4d passed  %4d failed' "$name" $((SECONDS - start)) \
    $((passed - passed_before)) $((failed - failed_before)))")
}

# run_ctest PRESET [ctest argument…]: counts each test.
run_ctest() {
  local preset=$1 log total bad
  shift
  log=$(mktemp)
  "${run_ctest_prefix[@]}" ctest --preset "$preset" --parallel "$jobs" --no-tests=error "$@" 2>&1 | tee "$log"
  local status=${PIPESTATUS[0]}
  # "100% tests passed, 0 tests failed out of 123"
  read -r bad total < <(sed -nE 's/.* ([0-9]+) tests? failed out of ([0-9]+).*/\1 \2/p' "$log")
  rm -f "$log"
  if [[ -z ${total:-} ]]; then
    failed=$((failed + 1))
    echo "FAILED: ctest --preset $preset gave no result"
    return 1
  fi
  passed=$((passed + total - bad))
  failed=$((failed + bad))
  if ((bad == 0 && status != 0)); then
    failed=$((failed + 1))
    echo "FAILED: ctest --preset $preset exited with $status"
  fi
}
run_ctest_prefix=()

build() {
  check "configure $1" cmake --preset "$1" --log-level=NOTICE && check "build $1" cmake --build --preset "$1"
}

# own_files DIRECTORY…: C++ that somebody wrote.
own_files() { find "$@" -type f \( -name '*.cc' -o -name '*.h' \) | sort; }

format_stage() {
  local version
  version=$(clang-format --version | sed -nE 's/.*version ([0-9]+)\..*/\1/p')
  if [[ $version != 14 ]]; then
    echo "not checked: this is clang-format $version, and each version formats a little differently;"
    echo "Debian 12's, version 14, decides"
    return
  fi
  check clang-format xargs -a <(own_files base hellocnn server client loadgen cli benchmarks tests) clang-format --dry-run --Werror
}

release_stage() { build release && run_ctest release; }

dev_stage() { build dev && run_ctest dev; }

tsan_stage() {
  build tsan || return
  # ThreadSanitizer of GCC 12 can't place its shadow where the kernel randomises addresses by more than 28 bits.
  if setarch "$(uname -m)" -R true 2>/dev/null; then run_ctest_prefix=(setarch "$(uname -m)" -R); fi
  run_ctest tsan
  run_ctest_prefix=()
}

tidy_stage() {
  build tidy || return
  local version arguments=()
  version=$(clang-tidy --version | sed -nE 's/.*version ([0-9]+)\..*/\1/p' | head -1)
  if [[ $version != 14 ]]; then
    echo "clang-tidy not run: this is version $version, and each version finds other things; Debian 12's, 14, decides"
    arguments=(--no-tidy)
  fi
  check "check with Clang" tests/check_with_clang.py build/tidy "${arguments[@]}"
}

deploy_stage() {
  local log status good bad
  log=$(mktemp)
  ${with_docker:+"$with_docker"} tests/deploy/compose_test.sh 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  read -r good bad < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$log")
  rm -f "$log"
  ((status == 77)) && return  # no docker: it has said so
  passed=$((passed + ${good:-0}))
  failed=$((failed + ${bad:-0}))
  if ((status != 0 && ${bad:-0} == 0)); then
    failed=$((failed + 1))
    echo "FAILED: tests/deploy/compose_test.sh exited with $status"
  fi
}

say "set-up"
scripts/install-deps.sh --test && scripts/fetch-promtool.sh || exit 1

stage format format_stage
stage release release_stage
if ! $quick; then
  stage dev dev_stage
  stage tsan tsan_stage
  stage tidy tidy_stage
  stage deploy deploy_stage
fi

say "summary, after $((SECONDS / 60)) min $((SECONDS % 60)) s"
printf '%s\n' "${report[@]}"
echo "$passed passed, $failed failed"
((failed == 0))
