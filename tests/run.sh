#!/usr/bin/env bash
# Installs what is missing, builds, and runs every tier of tests that CI runs.
#
#   tests/run.sh                 all tiers: half an hour on two cores, longer the first time
#   tests/run.sh --fast          without the sanitizers
#   tests/run.sh --tier NAME     one tier, or several; --list names them
#   tests/run.sh --long          the long variants (an hour of fuzzing), the tiers mutants and suite, and evidence in
#                                docs/evidence/
#
# WEIR_BUILD (build)  where to build      WEIR_JOBS (2)  compilers, and files of integration tests, at a time
# The last line counts the test cases of all tiers; the exit code is 1 when one failed.
set -u
[ "$(nice)" -ge 10 ] || exec nice -n 10 "$BASH" "$0" "$@"
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. packaging/packages.sh

ALL_TIERS="build tidy unit integration fuzz asan tsan bench"
LONG_TIERS="mutants suite"
BUILD=${WEIR_BUILD:-build}
JOBS=${WEIR_JOBS:-2}
[ "$JOBS" -gt 0 ] || JOBS=1
RESULTS=$BUILD/results
PYTHON=/usr/bin/python3
TIERS=""
LONG=0
FUZZ_SECONDS_LONG=3600  # over all targets
# What of tests/integration runs under a sanitizer: whatever moves servers between clients, and ends things early.
SANITIZED="tests/integration/test_01_release.py tests/integration/test_04_cancel.py tests/integration/test_06_startup.py tests/integration/test_42_tds_pool.py"

usage() { sed -n '2,11s/^# \?//p' "$0"; }

while [ $# -gt 0 ]; do
  case $1 in
    --long) LONG=1 ;;
    --fast) TIERS="build tidy unit integration fuzz bench" ;;
    --tier) TIERS="$TIERS ${2:?--tier NAME}"; shift ;;
    --list) echo "$ALL_TIERS $LONG_TIERS"; exit ;;
    -h | --help) usage; exit ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
TIERS=${TIERS:-$ALL_TIERS}
if [ "$LONG" = 1 ]; then
  export WEIR_TEST_LONG=1 WEIR_SIM_ROUNDS=${WEIR_SIM_ROUNDS:-30000}
  [ "$TIERS" = "$ALL_TIERS" ] && TIERS="$ALL_TIERS $LONG_TIERS"
fi
for tier in $TIERS; do
  [[ " $ALL_TIERS $LONG_TIERS " == *" $tier "* ]] || { echo "tests/run.sh: no tier $tier: $ALL_TIERS $LONG_TIERS" >&2; exit 2; }
done

export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1

# ---------------------------------------------------------------- building

# configure NAME: the preset NAME in $BUILD/NAME.
configure() {
  local name=$1 options=()
  case $name in
    release) [ -z "${CI:-}" ] || options=(-DWEIR_WERROR=ON) ;;
    *) options=("-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g1") ;;
  esac
  cmake --preset "$name" -B "$BUILD/$name" "${options[@]}" >"$RESULTS/cmake-$name.log" 2>&1 ||
    { cat "$RESULTS/cmake-$name.log"; return 1; }
}

# build NAME TARGETS...: without targets, everything.
build() {
  local name=$1
  shift
  configure "$name" && ninja -C "$BUILD/$name" -j "$JOBS" "$@"
}

# The test programs of tests/CMakeLists.txt, whose targets have the same names.
programs() { ctest --test-dir "$BUILD/$1" -N | sed -n 's/^ *Test *#[0-9]*: //p'; }

# build_with_tests NAME [PROGRAMS...]: without programs, all of them.
build_with_tests() {
  local name=$1
  shift
  configure "$name" && build "$name" weir ${*:-$(programs "$name")}
}

fuzz_targets() { compgen -G 'tests/fuzz/*.cpp' | sed 's,.*/,,; s,\.cpp$,,'; }

# ---------------------------------------------------------------- running

case_of() { "$PYTHON" tests/tally --case "$OUT" "$@"; }

run_unit() {
  local name=$1 program=$2 status
  timeout -k 10 "$(minutes 10 60)" "$BUILD/$name/tests/$program" --gtest_brief=1 \
    --gtest_output="xml:$OUT/$program.xml" >"$OUT/$program.log" 2>&1
  status=$?
  cat "$OUT/$program.log"
  [ "$status" = 0 ] && return
  # A crash leaves no file, a sanitizer may speak after the last test.
  grep -q '<failure' "$OUT/$program.xml" 2>/dev/null ||
    case_of "$program" "exit code $status"$'\n'"$(grep -A 7 -E 'ERROR|WARNING|runtime error' "$OUT/$program.log" || tail -n 7 "$OUT/$program.log")"
}

# run_units NAME [PROGRAMS...]: test programs that were built as NAME; without programs, all of them.
run_units() {
  local name=$1 program
  shift
  for program in ${*:-$(programs "$name")}; do
    while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do wait -n; done
    run_unit "$name" "$program" &
  done
  wait
}

# run_integration BINARY TESTS...: the tests mostly wait, so files run beside each other. What fails gets a second try,
# alone.
run_integration() {
  local binary=$1 pytest
  shift
  pytest=(timeout -k 30 "$(minutes 40 180)" "$PYTHON" -m pytest -q -o "cache_dir=$(realpath "$OUT")/cache")
  export WEIR_BIN
  WEIR_BIN=$(realpath "$binary")
  "${pytest[@]}" -n "$JOBS" --dist loadfile --junitxml="$OUT/integration.xml" "$@" && return
  "${pytest[@]}" --last-failed --junitxml="$OUT/again.xml" "$@"
  "$PYTHON" tests/tally --again "$OUT/integration.xml" "$OUT/again.xml"
}

# each_of SECONDS THINGS...: the share of each, rounded up, so that they sum up to no less.
each_of() { echo $((($1 + $# - 2) / ($# - 1))); }

# minutes SHORT LONG: a limit in seconds.
minutes() { if [ "$LONG" = 1 ]; then echo $(($2 * 60)); else echo $(($1 * 60)); fi; }

# ThreadSanitizer cannot cope with a wide random layout of addresses.
without_random_layout() {
  if setarch -R true 2>/dev/null; then setarch -R "$@"; else "$@"; fi
}

# ---------------------------------------------------------------- tiers: each leaves JUnit files in $OUT

tier_build() {
  build release || return 1
  ln -sfn release/weir "$BUILD/weir"
  case_of release
}

tier_tidy() {
  "$PYTHON" tests/tidy/run --headers --junit "$OUT/tidy.xml"
  if "$PYTHON" tests/behaviours --check; then case_of behaviours; else case_of behaviours "tests/behaviours --check"; fi
}

tier_unit() {
  build_with_tests release || return 1
  run_units release
}

tier_integration() {
  build release weir || return 1
  run_integration "$BUILD/release/weir" tests/integration
}

tier_fuzz() {
  local target targets seconds=10 found options
  targets=$(fuzz_targets)
  [ "$LONG" = 0 ] || seconds=$(each_of $FUZZ_SECONDS_LONG $targets)
  build asan $(printf 'fuzz_%s ' $targets) || return 1
  for target in $targets; do
    found=$OUT/found-$target
    mkdir -p "$found" "tests/fuzz/corpus/$target"
    # Whole sessions have so many features that weighing them takes four fifths of the time.
    options=()
    [[ $target != session_* ]] || options=(-entropic=0)
    if timeout -k 10 $((seconds * 3 + 60)) "$BUILD/asan/tests/fuzz_$target" -max_total_time="$seconds" \
      -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$OUT/$target-" "${options[@]}" \
      "$found" "tests/fuzz/corpus/$target" >"$OUT/$target.log" 2>&1; then
      case_of "$target"
    else
      tail -n 30 "$OUT/$target.log"
      # With the input, when it is short: the files may be gone by the time that somebody looks.
      case_of "$target" "see $OUT/$target.log and $OUT/$target-*"$'\n'"$(grep -E '^(==.*ERROR|SUMMARY|Base64)|runtime error' "$OUT/$target.log")"
    fi
  done
}

# The other compiler, with AddressSanitizer: the fuzz targets share this build.
tier_asan() {
  build_with_tests asan || return 1
  run_units asan
  run_integration "$BUILD/asan/weir" $SANITIZED
}

# What has threads, or is used by several: protocols and engines' text work are pure.
THREADED="unit_base unit_net unit_pool unit_sqlite unit_session unit_app sim"

tier_tsan() {
  build_with_tests tsan $THREADED || return 1
  without_random_layout "$BASH" -c "$(declare -f run_unit run_units run_integration programs minutes case_of)
    run_units tsan $THREADED; run_integration $BUILD/tsan/weir $SANITIZED"
}

tier_bench() {
  local cells=simple-1,prepared-16 cell options
  options=(--cells "$cells" --rounds 1 --seconds 1)
  [ "$LONG" = 0 ] || options=(--memory --unpinned --check --report docs/evidence/benchmark.md)
  build release weir || return 1
  WEIR_BIN=$BUILD/release/weir "$PYTHON" tests/bench/run "${options[@]}" || return 1
  for cell in ${cells//,/ }; do case_of "$cell"; done
}

# Each patch breaks one thing on purpose; the tests that it names must notice.
tier_mutants() {
  "$PYTHON" tests/mutants/run --keep "$BUILD/mutants" --results "$OUT" --jobs "$JOBS"
}

# The servers' own tests through weir, each without weir first.
tier_suite() {
  local suite options status=0
  build release weir || return 1
  for suite in redis postgres; do
    options=(--keep "$BUILD/$suite-suite" --results "$OUT")
    [ "$LONG" = 0 ] || options+=(--report "docs/evidence/$suite-suite.md")
    WEIR_BIN=$(realpath "$BUILD/release/weir") "$PYTHON" "tests/${suite}_suite/run" "${options[@]}" || status=1
  done
  return $status
}

# ---------------------------------------------------------------- the run

PASSED=0
FAILED=0
TABLE=""

run_tier() {
  local tier=$1 start status=0 passed failed skipped names line
  OUT=$RESULTS/$tier
  rm -rf "$OUT"
  mkdir -p "$OUT"
  export OUT BUILD RESULTS JOBS LONG PYTHON
  start=$SECONDS
  "tier_$tier" >"$RESULTS/$tier.log" 2>&1 </dev/null || status=$?
  { read -r passed failed skipped; names=$(cat); } < <("$PYTHON" tests/tally "$OUT")
  if [ "$status" != 0 ] && [ "$failed" = 0 ]; then
    failed=1
    names="the tier itself ended with $status:"$'\n'$(tail -n 30 "$RESULTS/$tier.log")
  fi
  PASSED=$((PASSED + passed))
  FAILED=$((FAILED + failed))
  line=$(printf '%-12s %4d s   %5d passed  %3d failed  %3d skipped' \
    "$tier" $((SECONDS - start)) "$passed" "$failed" "$skipped")
  TABLE+="$line"$'\n'
  echo "$line"
  [ "$failed" = 0 ] && return
  sed 's/^/    /' <<<"$names" | head -n 100
  echo "    all of it: $RESULTS/$tier.log"
}

fuzz_evidence() {
  local log
  echo
  echo "Fuzzing: target, seed, inputs tried; $FUZZ_SECONDS_LONG s over all targets"
  echo
  echo '```'
  for log in "$RESULTS"/fuzz/*.log; do
    [ -f "$log" ] && echo "$(basename "$log" .log) $(sed -n 's/^INFO: Seed: /seed /p' "$log")" \
      "$(sed -n 's/^stat::number_of_executed_units: */inputs /p' "$log")"
  done
  echo '```'
}

write_evidence() {
  local file=docs/evidence/long-run.md
  mkdir -p docs/evidence
  {
    echo "# A long run"
    echo
    echo "Written by \`tests/run.sh --long\` on $(date -u +%F), commit $(git rev-parse --short HEAD), on" \
      "$(nproc) × $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)."
    echo
    echo '```'
    printf '%s' "$TABLE"
    echo "$PASSED passed, $FAILED failed"
    echo '```'
    [[ " $TIERS " != *" fuzz "* ]] || fuzz_evidence
  } >"$file"
  echo "evidence     $file"
}

mkdir -p "$RESULTS"
install_packages build test || { echo "0 passed, 1 failed"; exit 1; }
echo "packages     $PACKAGES_INSTALLED installed"
for tier in $TIERS; do run_tier "$tier"; done
[ "$LONG" = 0 ] || write_evidence
echo "$PASSED passed, $FAILED failed"
[ "$FAILED" = 0 ]
