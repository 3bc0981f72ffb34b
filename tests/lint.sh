#!/usr/bin/env bash
# Rules that matter, executable (house, habit 13). tests/lint.sh [BUILD]; prints each breach as file:line: what.
set -uo pipefail
cd "$(dirname "$0")/.."
build=${1:-}
breaches=0
report() { [ -z "$1" ] || { printf '%s\n' "$1"; breaches=$((breaches + $(printf '%s\n' "$1" | wc -l))); }; }
sources() { git ls-files -co --exclude-standard -- '*.c' '*.h' | grep -v '_glyphs\.h$'; }

# ---- calls that have a safer form, and goto
banned() { # NAMES: over the files of standard input
    xargs grep -nHE "(^|[^_[:alnum:]>.])($1)\(" | sed -E "s/^([^:]+:[0-9]+):.*[^_[:alnum:]]($1)\(.*/\1: banned call \2/"
}
report "$(sources | banned 'strcpy|strcat|sprintf|vsprintf|gets|strtok|alloca|tmpnam|mktemp')"
report "$(sources | grep -v '^tests/' | banned 'system|popen')"
report "$(sources | xargs grep -nHE '^[[:space:]]+goto ' | sed -E 's/^([^:]+:[0-9]+):.*/\1: goto/')"
report "$(sources | xargs grep -nHE '\b(TODO|FIXME|XXX)\b' | sed -E 's/^([^:]+:[0-9]+):.*/\1: unfinished work is an issue, not a comment/')"

# ---- layers: a row includes itself and what stands above it, never below
layers='
base arena fsm
log conf metrics crypto trust pb pbjson marks outline markblock mqtt
bus db httpc
rpc outbox act
app'
layer_of() { printf '%s\n' "$layers" | awk -v m="$1" 'NF { n++; for (i = 1; i <= NF; i++) if ($i == m) print n }'; }
module_of() { # lib/db_store.c -> db; lib/outbox_internal.h -> outbox
    local name=${1##*/} best= m
    name=${name%.*}
    for m in $layers; do case $name in "$m" | "$m"_*) [ ${#m} -gt ${#best} ] && best=$m ;; esac; done
    printf '%s' "$best"
}
for file in lib/*.c lib/*.h; do
    own=$(layer_of "$(module_of "$file")")
    for included in $(sed -n 's/^#include "\([a-z_0-9-]*\)\.h"$/\1/p' "$file"); do
        [ -e "lib/$included.h" ] || continue
        theirs=$(layer_of "$(module_of "$included.h")")
        [ -z "$own" ] || [ -z "$theirs" ] || [ "$theirs" -le "$own" ] || report "$file: includes $included of a higher layer"
    done
done
for service in identity authorization issuance filing-relay verification; do
    for other in identity authorization issuance filing-relay verification; do
        [ $service = $other ] || report "$(grep -rnE "#include \"(\.\./)+$other/" services/$service 2>/dev/null | sed 's/$/: a neighbour service/')"
    done
done

# ---- one user of each library; public headers of lib include no third-party header
only() { # HEADER MODULE...: whoever else in lib includes it
    local header=$1 pattern
    shift
    pattern=$(printf '|%s' "$@")
    report "$(grep -lE "#include <$header" lib/*.c lib/*.h 2>/dev/null | grep -vE "lib/(${pattern#|})(_[a-z0-9]+)*\.[ch]$" | sed "s|\$|: only ${pattern#|} may use $header|")"
}
only 'openssl/' crypto
only 'nats/' bus
only 'libpq' db
only 'curl/' httpc
only 'mosquitto' mqtt
report "$(git ls-files 'lib/*.h' | grep -v _internal | xargs grep -nHE '#include <(openssl|nats|libpq|curl|mosquitto|microhttpd|jansson|protobuf-c)' | sed 's/$/: a public header names a third party/')"

# ---- sizes: a function fits on two screens, a file is one room
report "$(sources | grep -v '^tests/' | xargs awk '
    FNR == 1 { depth = 0; start = 0; head = 0 }
    /^[a-zA-Z].*[^;]$/ && /\(/ && !/=/ { head = FNR }
    /\{[^}]*$/ && depth == 0 && head && FNR - head < 6 { start = FNR }
    { line = $0; gsub(/"([^"\\]|\\.)*"/, "", line); gsub(/\x27([^\x27\\]|\\.)\x27/, "", line)
      depth += gsub(/\{/, "{", line) - gsub(/\}/, "}", line) }
    depth == 0 && start { if (FNR - start > 80) printf "%s:%d: a function of %d lines\n", FILENAME, start, FNR - start; start = 0; head = 0 }')"
report "$(sources | xargs wc -l | awk '$2 != "total" && $1 > 600 { printf "%s: %d lines\n", $2, $1 }')"

# ---- scripts parse; the generated API document is fresh
for script in script/* .ci/run tests/*.sh; do
    head -n 1 "$script" | grep -q bash || [ "$script" = script/lib.sh ] || continue
    bash -n "$script" || report "$script: does not parse"
done
if [ -n "$build" ] && [ -x "$build/bin/chop-gateway" ]; then
    "$build/bin/chop-gateway" --openapi | cmp -s - docs/openapi.yaml || report "docs/openapi.yaml: stale; write it with chop-gateway --openapi"
fi

printf 'lint: %d breaches\n' $breaches
[ $breaches = 0 ]
