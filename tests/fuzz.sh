#!/usr/bin/env bash
# tests/fuzz.sh BUILD SECONDS: runs every fuzz target for so long, one after the other. What it finds new is kept in
# BUILD/corpus/<target>; a crash leaves its input there and ends with status 1.
set -uo pipefail
build=$1 seconds=$2 passed=0 failed=0
for target in "$build"/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    corpus=$build/corpus/$(basename "$target")
    mkdir -p "$corpus"
    if "$target" -max_total_time="$seconds" -artifact_prefix="$corpus/" -print_final_stats=1 "$corpus" >"$corpus.log" 2>&1; then
        passed=$((passed + 1))
        printf '%s: %s runs\n' "$(basename "$target")" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$corpus.log")"
    else
        failed=$((failed + 1))
        tail -n 20 "$corpus.log"
    fi
done
printf '%d passed, %d failed\n' $passed $failed
[ $failed = 0 ] && [ $passed -gt 0 ]
