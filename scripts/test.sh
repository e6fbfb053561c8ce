#!/usr/bin/env bash
# Runs the tests: tests/whisperx in .venv-whisperx, which has torch, everything else in .venv, which must do without.
# Takes pytest's options and paths; paths narrow it to what they name. All of them run in two lanes beside each other,
# because half of the tests wait for their servers most of the time.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The tests start hundreds of processes. One that finds no bytecode compiles a thousand modules before its first line,
# with torch for longer than most tests last; some containers forbid to keep what it made.
unset PYTHONDONTWRITEBYTECODE

SLOW_LANE=(tests/integration/common tests/integration/gateway tests/integration/stack tests/e2e tests/faults)

options=() plain=() torch=()
for word in "$@"; do
    case $word in
        tests/whisperx*) torch+=("$word") ;;
        tests | tests/*) plain+=("$word") ;;
        *) options+=("$word") ;;
    esac
done

status=0
# What the options select may all lie elsewhere: pytest calls that status 5.
run() {
    "$@" ${options[@]+"${options[@]}"} || case $? in
        5) [ ${#options[@]} -gt 0 ] || status=5 ;;
        *) status=1 ;;
    esac
}

run_plain() {
    scripts/setup-npm.sh
    run .venv/bin/pytest "$@"
}

run_with_torch() {
    scripts/setup-whisperx.sh
    # Beside the other lane more threads would only wait for each other, at full speed.
    OMP_NUM_THREADS=1 run .venv-whisperx/bin/pytest "$@"
}

run_slow_lane() {
    run .venv/bin/pytest "${SLOW_LANE[@]}"
    exit $status
}

run_all() {
    scripts/setup-npm.sh
    log=$(mktemp "${TMPDIR:-/tmp}/earshot-tests.XXXXXX")
    # In a process group of its own, which can be ended as one.
    set -m
    run_slow_lane >"$log" 2>&1 &
    lane=$!
    set +m
    trap 'kill -- "-$lane" 2>/dev/null || true; rm -f "$log"' EXIT
    run .venv/bin/pytest tests "${SLOW_LANE[@]/#/--ignore=}"
    run_with_torch tests/whisperx
    echo "Beside these ran ${SLOW_LANE[*]}:"
    wait "$lane" || status=$?
    cat "$log"
}

if [[ ${#plain[@]} -eq 0 && ${#torch[@]} -eq 0 ]] || [[ " ${plain[*]-} " =~ \ tests/?\  ]]; then
    run_all
else
    [ ${#plain[@]} -eq 0 ] || run_plain "${plain[@]}"
    [ ${#torch[@]} -eq 0 ] || run_with_torch "${torch[@]}"
fi
exit $status
