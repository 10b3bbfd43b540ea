#!/usr/bin/env bash
# Runs the checks of the project, with all the set-up that they need. The last line says how many passed and failed.
#
#   scripts/test.sh            what continuous integration checks; at most 45 minutes on 2 cores, from nothing
#   scripts/test.sh --long     every check there is; at most an hour and a half
#   scripts/test.sh --quick    the optimised build and its tests only
#   scripts/test.sh --unit     the optimised build and its unit tests only; at most 4 minutes after a build
#
# The stages follow. A stage that fails does not stop the others. On a slow machine, a stage after tsan is skipped if it would begin after
# 45 minutes, and the summary names it. With --long, no stage is skipped, and the tests with the labels `seldom` and `long` run, too.
#   format    clang-format agrees with every own file (with clang-format 14, whose verdict counts)
#   release   optimised build with GCC, all tests but those with the label `long`
#   dev       AddressSanitizer and UndefinedBehaviorSanitizer, the unit tests, the attacks, and tests of streams and connections
#   tsan      ThreadSanitizer, with Clang, on the tests that have threads of ours
#   fuzz      each parser of bytes that come from others, for 30 s
#   deploy    the images and deploy/compose.yaml, built and run for real, where there is docker. HELLOCNN_WITH_DOCKER may
#             name a program that runs a command with docker at hand
#   tidy      all but LibTorch's users through Clang with its thread-safety analysis as errors: what is shipped through
#             clang-tidy (14, likewise), which says what the compiler says and more; tests through the compiler
#   neon      the SIMD engine's tests, built for AArch64 and run in qemu, where g++-aarch64-linux-gnu and qemu-user-static
#             can be installed and Debian's packages for arm64 can be fetched; else it is skipped
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

only=()
long=false
limit_seconds=$((45 * 60))
for argument in "$@"; do
  case $argument in
    --long) long=true limit_seconds=$((90 * 60)) ;;
    --quick) only=(format release) ;;
    --unit) only=(unit) limit_seconds=$((4 * 60)) ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) echo "test.sh: unknown argument '$argument'; --long, --quick, --unit and --help are known" >&2; exit 2 ;;
  esac
done

passed=0
failed=0
report=()
skipped=()  # stages for which there was no time
twice=()    # tests that failed and ran once more

# LibTorch and protobuf keep some memory until the process ends; tests/lsan.supp names it. Own leaks are errors.
# tests/tsan.supp names what ThreadSanitizer cannot see.
# Reports go to files, because tests that capture what a program prints would swallow them.
reports=$PWD/build/sanitizer-reports
export LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp:print_suppressions=0"
export ASAN_OPTIONS="detect_leaks=1:detect_stack_use_after_return=1:log_path=$reports/report"
export UBSAN_OPTIONS="print_stacktrace=1:log_path=$reports/report"
export TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp:print_suppressions=0:halt_on_error=1:second_deadlock_stack=1:log_path=$reports/report"

jobs=$(nproc)

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

# Sets cpu_now to the user and system seconds of all programs that have ended so far.
times_file=$(mktemp)
trap 'rm -f "$times_file"' EXIT
get_cpu_seconds() {
  times >"$times_file"  # not in a substitution: that is a process with times of its own
  cpu_now=$(awk 'NR == 2 {split($1 "m" $2, part, /[ms]+/); printf "%d", 60 * (part[1] + part[3]) + part[2] + part[4]}' "$times_file")
}

# stage NAME: runs NAME_stage, unless only others are wanted. Notes the time, that of builds apart, and what it added to the count.
stage() {
  local name=$1
  ((${#only[@]} == 0)) || [[ " ${only[*]} " == *" $name "* ]] || return 0
  local start=$SECONDS passed_before=$passed failed_before=$failed cpu_before
  build_seconds=0
  get_cpu_seconds
  cpu_before=$cpu_now
  if [[ $name != @(format|release|unit|dev|tsan) ]] && ! $long && ((SECONDS > limit_seconds)); then
    skipped+=("$name")
    return
  fi
  say "$name"
  "${name}_stage"
  get_cpu_seconds
  report+=("$(printf "$row" "$name" $build_seconds $((SECONDS - start - build_seconds)) $((SECONDS - start)) $((cpu_now - cpu_before)) \
    $((passed - passed_before)) $((failed - failed_before)))")
}
row='%-9s %7s %7s %7s %7s %7s %7s'

# run_ctest PRESET [ctest argument…]: counts each test case. Tests that use a CPU say that they need two places (tests/CMakeLists.txt),
# so that as many run as there are CPUs, and those that mostly wait run beside them. Up to three tests that failed are run once more,
# alone, because a machine shared with others can stand still for seconds; unit tests are not, and nothing is once a sanitizer has
# reported. The summary names them, so that nobody takes such a test for a good one.
run_ctest() {
  local preset=$1 log again status good=0 bad=0 failures=()
  shift
  log=$PWD/build/test-report-$preset.xml
  again=$PWD/build/test-report-$preset-again.xml
  rm -rf "$log" "$again" "$reports"
  mkdir -p "$reports"
  "${run_ctest_prefix[@]}" ctest --preset "$preset" --parallel $((2 * jobs)) --no-tests=error \
    --output-junit "$log" --test-output-size-passed 10000000 "$@"
  status=$?
  if [[ -e $log ]]; then
    read -ra failures < <(tests/count_cases.py --failed "$log")
    if ((${#failures[@]} >= 1 && ${#failures[@]} <= 3)) && [[ -z $(ls "$reports") ]]; then
      say "once more, alone, unless it is a unit test: ${failures[*]}"
      "${run_ctest_prefix[@]}" ctest --preset "$preset" --tests-regex "^($(IFS='|' && echo "${failures[*]}"))\$" \
        --label-exclude '^unit$' --no-tests=error --output-junit "$again" --test-output-size-passed 10000000 && status=0
      twice+=("${failures[@]}")
    fi
    read -r good bad < <(tests/count_cases.py "$log" $([[ -e $again ]] && echo "$again"))
  fi
  passed=$((passed + good))
  failed=$((failed + bad))
  if ((bad == 0 && (status != 0 || good == 0))); then
    failed=$((failed + 1))
    echo "FAILED: ctest --preset $preset exited with $status after $good cases"
  fi
  if [[ -n $(ls "$reports") ]]; then
    tail -n +1 "$reports"/*
    check "no sanitizer has anything to report in $preset" false
  fi
}
run_ctest_prefix=()

build() {
  local start=$SECONDS status
  check "configure $1" cmake --preset "$1" --log-level=NOTICE && check "build $1" cmake --build --preset "$1"
  status=$?
  build_seconds=$((build_seconds + SECONDS - start))
  return $status
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
  check clang-format xargs -a <(own_files base hellocnn datasets server client loadgen cli benchmarks fuzz tests) clang-format --dry-run --Werror
}

release_stage() {
  # Clients that everybody has; their tests are skipped if they cannot be had.
  timeout 300 scripts/fetch-interop.sh hellocnn-client-triton hellocnn-client-kserve hellocnn-client-package &
  local fetching=$!
  build release || return
  wait $fetching
  run_ctest release
  if $long; then run_ctest long; fi
}

unit_stage() { build release && run_ctest release --label-regex '^unit$'; }

dev_stage() {
  build dev || return
  if $long; then run_ctest dev-long; else run_ctest dev; fi
}

tsan_stage() {
  build tsan || return
  # ThreadSanitizer of Clang 14 can't place its shadow where the kernel randomises addresses by more than 28 bits.
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

fuzz_stage() { build fuzz && check "fuzz targets" scripts/fuzz.sh; }

neon_stage() {
  if ! { scripts/install-deps.sh --neon && scripts/fetch-arm64.sh; }; then
    echo "neon: skipped, because what is named above is missing"
    return
  fi
  build neon && run_ctest neon
}

deploy_stage() {
  local log status good bad
  log=$(mktemp)
  ${HELLOCNN_WITH_DOCKER:+"$HELLOCNN_WITH_DOCKER"} tests/deploy/compose_test.sh 2>&1 | tee "$log"
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

if [[ " ${only[*]} " == *" unit "* ]]; then
  stage unit
else
  for name in format release dev tsan fuzz deploy tidy neon; do stage $name; done
fi

say "summary"
# shellcheck disable=SC2059  # a format, on purpose
printf "$row\n" stage build checks seconds CPU passed failed
printf '%s\n' "${report[@]}"
if ((SECONDS <= limit_seconds)); then verdict=within; else verdict=OVER; fi
get_cpu_seconds
# shellcheck disable=SC2059
printf "$row   %s\n" total '' '' $SECONDS "$cpu_now" "$passed" "$failed" "$verdict the limit of $limit_seconds s on 2 cores"
if ((${#skipped[@]} > 0)); then echo "skipped, because the limit had passed before: ${skipped[*]}; scripts/test.sh --long runs them"; fi
if ((${#twice[@]} > 0)); then echo "failed once, and ran once more if it is no unit test: ${twice[*]}"; fi
echo "$passed passed, $failed failed"
((failed == 0))
