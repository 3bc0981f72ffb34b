#!/usr/bin/env bash
# The member's page in a real browser against a private stack: web_flow.sh BUILD-DIRECTORY [SHOTS-DIRECTORY]
build=$(readlink -f "$1")
shots=${2:-}
CHOP_VAR=$(mktemp -d "${TMPDIR:-/tmp}/chop-web-flow-XXXXXX")
export CHOP_VAR CHOP_BUILD=$build
. "$(dirname "$0")/../script/lib.sh"
clean() {
    local status=$? pg
    stack_down
    if [ $status != 0 ]; then tail -n 5 "$CHOP_VAR"/log/{gateway,identity,authorization,issuance,printer-bridge,printer}.log >&2 || true; fi
    pg=$(readlink -f "$CHOP_VAR/pg" || true)
    case $pg in /var/tmp/chopmark-*) rm -rf "$pg" ;; esac
    [ -n "${CHOP_TEST_KEEP:-}" ] || rm -rf "$CHOP_VAR"
    exit $status
}
trap clean EXIT
stack_up
"$BUILD/bin/chop-draw" contract --out "$CHOP_VAR/contract.pdf" --pages 3 >/dev/null
CHOP_URL=$(cat "$CHOP_VAR/run/url") CHOP_SHOTS=$shots node "$ROOT/tests/web_flow.mjs"
