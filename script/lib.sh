# Shared by the scripts: where things are, installing, building, and the life of a private stack under $CHOP_VAR.
# Sourced, not run. Every process it starts is ended by its id, kept in $CHOP_VAR/run/<name>.pid.

set -Eeuo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CHOP_VAR=${CHOP_VAR:-$ROOT/var}
case $CHOP_VAR in /*) ;; *) CHOP_VAR=$PWD/$CHOP_VAR ;; esac
BUILD=${CHOP_BUILD:-$ROOT/build/release}
PG_BIN=/usr/lib/postgresql/15/bin
export LC_ALL=C.UTF-8

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }
now_ms() { date +%s%3N; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# ---- installing ----------------------------------------------------------------------------

packages() { sed 's/#.*//' "$ROOT/script/packages.txt"; printf '%s\n' "${EXTRA_PACKAGES:-}"; }

missing_packages() {
    local p
    for p in $(packages); do
        dpkg-query -W -f='${Status}\n' "$p" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$p"
    done
}

# Installs what is missing; no service that comes with a package is left started or enabled.
install_packages() {
    local missing unit policy=/usr/sbin/policy-rc.d made=
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    say "installing: $missing"
    if [ ! -e $policy ]; then
        made=1
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod 755 $policy
    fi
    # shellcheck disable=SC2086
    { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends $missing; } >"${TMPDIR:-/tmp}/chop-install.log" 2>&1 ||
        { [ -z "$made" ] || as_root rm -f $policy
          tail -n 20 "${TMPDIR:-/tmp}/chop-install.log" >&2; die "the packages could not be installed"; }
    [ -z "$made" ] || as_root rm -f $policy
    if [ -d /run/systemd/system ]; then
        for unit in postgresql nats-server mosquitto nginx; do
            case " $missing " in *" $unit"*) as_root systemctl disable --now $unit >/dev/null 2>&1 || true ;; esac
        done
    fi
}

# ---- building ------------------------------------------------------------------------------

build() { # PRESET [TARGET...]
    local preset=$1
    shift
    mkdir -p "$ROOT/build"
    (cd "$ROOT" && cmake --preset "$preset" >"build/$preset.configure.log" 2>&1) ||
        { cat "$ROOT/build/$preset.configure.log" >&2; die "configuring failed"; }
    if [ -t 1 ]; then
        ninja -C "$ROOT/build/$preset" "$@" || die "building failed"
    else
        ninja -C "$ROOT/build/$preset" --quiet "$@" || die "building failed"
    fi
}

# ---- processes -----------------------------------------------------------------------------

alive() { # NAME
    local pid
    pid=$(cat "$CHOP_VAR/run/$1.pid" 2>/dev/null) && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null
}

# Starts a program in the background: its output into log/NAME.log, its id into run/NAME.pid.
launch() { # NAME COMMAND...
    local name=$1
    shift
    setsid "$@" >>"$CHOP_VAR/log/$name.log" 2>&1 </dev/null &
    echo $! >"$CHOP_VAR/run/$name.pid"
}

stop_one() { # NAME [SECONDS]
    local pid n=0 most=$((${2:-10} * 20))
    pid=$(cat "$CHOP_VAR/run/$1.pid" 2>/dev/null) || return 0
    kill -TERM "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do
        n=$((n + 1))
        [ $n -lt $most ] || { kill -KILL "$pid" 2>/dev/null || true; break; }
        sleep 0.05
    done
    rm -f "$CHOP_VAR/run/$1.pid" "$CHOP_VAR/run/$1.ready"
}

wait_until() { # SECONDS WHAT COMMAND...
    local until=$(($(now_ms) + $1 * 1000)) what=$2
    shift 2
    while ! "$@" >/dev/null 2>&1; do
        [ "$(now_ms)" -lt $until ] || { say "no $what in time" >&2; return 1; }
        sleep 0.03
    done
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Ports are chosen once and kept, as long as nobody else took them meanwhile.
choose_ports() {
    local file=$CHOP_VAR/ports.env name
    if [ -f "$file" ]; then
        . "$file"
        for name in $PORT_NAMES; do
            local var=PORT_$name
            if [ -z "${!var:-}" ] || port_open "${!var}"; then rm -f "$file"; break; fi
        done
    fi
    [ -f "$file" ] || perl -MIO::Socket::INET -e '
        my @held;
        for my $name (@ARGV) {
            my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 0, Listen => 1) or die "no port: $!";
            push @held, $s;
            printf "PORT_%s=%d\n", $name, $s->sockport;
        }' $PORT_NAMES >"$file"
    . "$file"
}
PORT_NAMES="PG NATS MQTT HTTP HTTPS REG_POLICE REG_THIRD REG_INTERNAL"

secret() { # NAME: a random secret in a file of its own, made once
    local file=$CHOP_VAR/secrets/$1
    [ -s "$file" ] || (umask 077; printf 'p%s' "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" >"$file")
    cat "$file"
}

webhook_secret() { # NAME: as Standard Webhooks writes it
    local file=$CHOP_VAR/secrets/webhook-$1
    [ -s "$file" ] || (umask 077; printf 'whsec_%s\n' "$(head -c 32 /dev/urandom | base64 -w0)" >"$file")
}

# ---- PostgreSQL ----------------------------------------------------------------------------

# The server refuses root; and the user that runs it may not be able to enter this checkout. Then its data lies under
# /var/tmp, linked from here.
pg_user() { if [ "$(id -u)" = 0 ]; then echo postgres; else id -un; fi; }
PG_RUN=()
[ "$(id -u)" != 0 ] || PG_RUN=(setpriv --reuid=postgres --regid=postgres --clear-groups)
as_pg() { (cd / && "${PG_RUN[@]}" "$@"); }

pg_place() {
    local link=$CHOP_VAR/pg dir
    [ -e "$link" ] && return 0
    rm -f "$link"
    if [ "$(id -u)" != 0 ] || as_pg test -x "$CHOP_VAR"; then
        mkdir -p "$link"
    else
        dir=/var/tmp/chopmark-$(printf '%s' "$CHOP_VAR" | sha256sum | cut -c1-12)
        mkdir -p "$dir"
        ln -s "$dir" "$link"
    fi
    dir=$(readlink -f "$link")
    chmod 700 "$dir"
    [ "$(id -u)" != 0 ] || chown "$(pg_user)" "$dir"
}

pg_start() {
    pg_place
    local dir
    dir=$(readlink -f "$CHOP_VAR/pg")
    if [ ! -s "$dir/data/PG_VERSION" ]; then
        as_pg rm -rf "$dir/data"
        as_pg $PG_BIN/initdb -D "$dir/data" -U chop --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync \
            >"$CHOP_VAR/log/initdb.log" 2>&1 || { cat "$CHOP_VAR/log/initdb.log" >&2; return 1; }
        secret pg-superuser >/dev/null
        # Peer-less: passwords for everyone over TCP; the bootstrap user only through the socket in its own directory.
        printf 'local all chop trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n' | as_pg tee "$dir/data/pg_hba.conf" >/dev/null
        as_pg tee -a "$dir/data/postgresql.conf" >/dev/null <<CONF
shared_buffers = 256MB
max_connections = 200
max_wal_size = 2GB
wal_compression = on
random_page_cost = 1.1
logging_collector = off
log_min_duration_statement = 1000
CONF
    fi
    rm -f "$CHOP_VAR/run/pg.ready"
    (cd / && exec setsid "${PG_RUN[@]}" $PG_BIN/postgres -D "$dir/data" -k "$dir" -h 127.0.0.1 -p "$PORT_PG") \
        >>"$CHOP_VAR/log/pg.log" 2>&1 </dev/null &
    echo $! >"$CHOP_VAR/run/pg.pid"
    wait_until 30 "PostgreSQL" $PG_BIN/pg_isready -q -h "$dir" -p "$PORT_PG" -U chop
}

pg_sql() { # PSQL OPTIONS...
    as_pg psql -X -q -h "$(readlink -f "$CHOP_VAR/pg")" -p "$PORT_PG" -U chop -d "${PG_DATABASE:-chop}" "$@"
}

pg_setup() {
    PG_DATABASE=postgres pg_sql -tAc "SELECT 1 FROM pg_database WHERE datname = 'chop'" | grep -q 1 ||
        PG_DATABASE=postgres pg_sql -c 'CREATE DATABASE chop'
    local s
    { # through standard input: no password in anyone's arguments
        for s in $SERVICES_WITH_STORE; do printf "\\set %s '%s'\n" "${s//-/_}" "$(secret "pg-$s")"; done
        cat "$ROOT/deploy/postgres/roles.sql"
    } | pg_sql >/dev/null
}
SERVICES_WITH_STORE="identity authorization issuance filing-relay verification printer-bridge"

# ---- the stack -----------------------------------------------------------------------------

dirs() { mkdir -p "$CHOP_VAR"/{run,log,secrets,nats,mqtt}; chmod 700 "$CHOP_VAR/secrets" "$CHOP_VAR/run"; }

keys_make() {
    [ -s "$CHOP_VAR/keys/manifest.signed" ] || { rm -rf "$CHOP_VAR/keys"; "$BUILD/bin/chop-keys" demo "$CHOP_VAR/keys" >"$CHOP_VAR/log/keys.log"; }
}

nats_start() {
    local s var
    export NATS_HOST=127.0.0.1 NATS_PORT=$PORT_NATS NATS_STORE=$CHOP_VAR/nats
    for s in gateway identity authorization issuance filing-relay verification printer-bridge monitor; do
        var=NATS_PASSWORD_$(printf '%s' "$s" | tr a-z- A-Z_)
        export "$var=$(secret "nats-$s")"
    done
    launch nats nats-server -c "$ROOT/deploy/nats/nats.conf"
    wait_until 10 nats-server port_open "$PORT_NATS"
}

mqtt_start() {
    local conf=$CHOP_VAR/mqtt/mosquitto.conf
    sed -e "s|@PORT@|$PORT_MQTT|g" -e "s|@CA@|$CHOP_VAR/keys/ca.crt|g" -e "s|@CERT@|$CHOP_VAR/keys/mqtt-server.crt|g" \
        -e "s|@KEY@|$CHOP_VAR/keys/mqtt-server.key|g" -e "s|@DATA@|$CHOP_VAR/mqtt/|g" -e "s|@USER@|$(id -un)|g" -e "s|@ACL@|$CHOP_VAR/mqtt/acl|g" \
        "$ROOT/deploy/mosquitto/mosquitto.conf.in" >"$conf"
    (umask 077; cp "$ROOT/deploy/mosquitto/acl" "$CHOP_VAR/mqtt/acl"; chmod 600 "$CHOP_VAR/mqtt/acl")
    launch mosquitto mosquitto -c "$conf"
    wait_until 10 mosquitto port_open "$PORT_MQTT"
}

registry_start() { # NAME TITLE PORT
    mkdir -p "$CHOP_VAR/registry-$1"
    webhook_secret "$1"
    # shellcheck disable=SC2086
    launch "registry-$1" "$BUILD/bin/chop-registry" --name "$1" --title "$2" --listen "127.0.0.1:$3" \
        --dir "$CHOP_VAR/registry-$1" --keys "$CHOP_VAR/keys" --sign-key "$CHOP_VAR/keys/registry-$1.pem" \
        --secret-file "$CHOP_VAR/secrets/webhook-$1" ${CHOP_REGISTRY_OPTIONS:-}
}

registries_start() {
    registry_start police 公安印章管理系统 "$PORT_REG_POLICE"
    registry_start third-party 第三方印章管理系统 "$PORT_REG_THIRD"
    registry_start internal 本单位印章管理系统 "$PORT_REG_INTERNAL"
    cat >"$CHOP_VAR/registries.json" <<JSON
[
 {"name":"police","title":"公安印章管理系统","url":"http://127.0.0.1:$PORT_REG_POLICE","adapter":"webhook","organization_id":"","secret_file":"$CHOP_VAR/secrets/webhook-police"},
 {"name":"third-party","title":"第三方印章管理系统","url":"http://127.0.0.1:$PORT_REG_THIRD","adapter":"webhook","organization_id":"","secret_file":"$CHOP_VAR/secrets/webhook-third-party"},
 {"name":"internal","title":"本单位印章管理系统","url":"http://127.0.0.1:$PORT_REG_INTERNAL","adapter":"webhook","organization_id":"","secret_file":"$CHOP_VAR/secrets/webhook-internal"}
]
JSON
}

# One environment for each part; secrets go through files.
service_env() { # NAME -> ENV array
    local s=$1 p K=$CHOP_VAR/keys
    p=CHOP_$(printf '%s' "$s" | tr a-z- A-Z_)
    secret "nats-$s" >/dev/null
    ENV=("${p}_BUS=nats://127.0.0.1:$PORT_NATS" "${p}_BUS_USER=$s" "${p}_BUS_PASSWORD_FILE=$CHOP_VAR/secrets/nats-$s"
        "${p}_KEYS=$K" "${p}_READY_FILE=$CHOP_VAR/run/$s.ready")
    case " $SERVICES_WITH_STORE " in *" $s "*)
        pgpass "$s"
        ENV+=("PGPASSFILE=$CHOP_VAR/secrets/pgpass-$s" "${p}_DB=host=$(pg_host) port=$PORT_PG dbname=chop user=chop_${s//-/_} application_name=$s") ;;
    esac
    case $s in
        gateway) ENV+=("${p}_PORT=$PORT_HTTP" "${p}_WEB=$ROOT/terminals/web" "${p}_TLS_ADDRESS=$LISTEN_TLS"
                "${p}_TLS_PORT=$PORT_HTTPS" "${p}_TLS_CERTIFICATE=$K/web.crt" "${p}_TLS_KEY=$K/web.key") ;;
        identity) secret operator >/dev/null
            ENV+=("${p}_SIGN_KEY=$K/identity.pem" "${p}_CA_KEY=$K/identity-ca.pem" "${p}_CA_CERT=$K/ca.crt"
                "${p}_OPERATOR_TOKEN_FILE=$CHOP_VAR/secrets/operator"
                "${p}_WORKERS=8") ;; # half of them may wait for password hashing
        authorization) ENV+=("${p}_SIGN_KEY=$K/authorization.pem" "${p}_ISSUANCE_HPKE=$K/issuance-hpke.spki"
                "${p}_FILES_KEY=$K/files.key" "${p}_DRAW=$BUILD/bin/chop-draw") ;;
        issuance) ENV+=("${p}_SIGN_KEY=$K/issuance.pem" "${p}_HPKE_KEY=$K/issuance-hpke.pem" "${p}_CIPHER_KEY=$K/cipher.key"
                "${p}_VERIFY_KEY=$K/verify.key" "${p}_VERIFY_HOST=$VERIFY_HOST") ;;
        verification) ENV+=("${p}_VERIFY_KEY=$K/verify.key" "${p}_VERIFY_HOST=$VERIFY_HOST") ;;
        filing-relay) ENV+=("${p}_REGISTRIES=$CHOP_VAR/registries.json" "${p}_ALLOW_PRIVATE=true" "${p}_ALLOW_HTTP=true") ;;
        printer-bridge) ENV+=("${p}_SIGN_KEY=$K/bridge.pem" "${p}_MQTT_HOST=localhost" "${p}_MQTT_PORT=$PORT_MQTT"
                "${p}_MQTT_CA=$K/ca.crt" "${p}_MQTT_CERT=$K/bridge.crt" "${p}_MQTT_KEY=$K/bridge-tls.key") ;;
    esac
}

# The socket in the server's own directory is faster than TCP; its path has a limit (unix(7): 108 bytes).
pg_host() {
    local dir
    dir=$(readlink -f "$CHOP_VAR/pg")
    if [ ${#dir} -le 88 ]; then printf '%s' "$dir"; else printf 127.0.0.1; fi
}

pgpass() { # SERVICE
    local file=$CHOP_VAR/secrets/pgpass-$1
    (umask 077; printf '*:*:chop:chop_%s:%s\n' "${1//-/_}" "$(secret "pg-$1")" >"$file")
}

service_start() { # NAME [VAR=VALUE...]
    local s=$1
    shift
    service_env "$s"
    rm -f "$CHOP_VAR/run/$s.ready"
    launch "$s" env "${ENV[@]}" "$@" "$BUILD/bin/chop-$s"
}

service_wait() { # NAME: until it is ready, or says why not
    local until=$(($(now_ms) + 20000))
    while [ ! -e "$CHOP_VAR/run/$1.ready" ]; do
        if ! alive "$1" || [ "$(now_ms)" -ge $until ]; then
            tail -n 3 "$CHOP_VAR/log/$1.log" >&2
            say "$1 did not start; see $CHOP_VAR/log/$1.log" >&2
            return 1
        fi
        sleep 0.03
    done
}
SERVICES="identity authorization issuance filing-relay verification printer-bridge gateway"

# What the QR leads to: the gateway's TLS listener, on loopback unless CHOP_LAN names an address of this machine.
verify_host() {
    LISTEN_TLS=${CHOP_LAN:-127.0.0.1}
    if [ -n "${CHOP_LAN:-}" ]; then # a short port: a QR of 12.5 mm holds 20 characters of host and port
        for PORT_HTTPS in $(seq 8443 8499); do (exec 3<>"/dev/tcp/$CHOP_LAN/$PORT_HTTPS") 2>/dev/null || break; done
    fi
    VERIFY_HOST=${CHOP_VERIFY_HOST:-$LISTEN_TLS:$PORT_HTTPS}
}

web_cert_make() {
    local K=$CHOP_VAR/keys san=DNS:localhost,IP:127.0.0.1
    [ "$LISTEN_TLS" = 127.0.0.1 ] || san=$san,IP:$LISTEN_TLS
    [ "$(cat "$K/web.san" 2>/dev/null)" = "$san" ] && return 0
    rm -f "$K/web.crt" "$K/web.key"
    "$BUILD/bin/chop-keys" tls "$K" --ca-key "$K/identity-ca.pem" --ca-cert "$K/ca.crt" --cn localhost --san "$san" --server \
        --out-key "$K/web.key" --out-cert "$K/web.crt" >>"$CHOP_VAR/log/keys.log"
    printf '%s\n' "$san" >"$K/web.san"
}

stack_up() {
    local s
    dirs
    choose_ports
    verify_host
    keys_make
    web_cert_make
    pg_start &
    local pg=$!
    nats_start
    mqtt_start
    wait $pg || die "PostgreSQL did not start; see $CHOP_VAR/log/pg.log"
    pg_setup
    registries_start
    for s in $SERVICES; do service_start "$s"; done
    for s in $SERVICES; do service_wait "$s"; done
    printf 'http://127.0.0.1:%s\n' "$PORT_HTTP" >"$CHOP_VAR/run/url"
}

stop_all() { # NAME...: at the same time
    local s pids=()
    for s in "$@"; do
        stop_one "$s" 8 &
        pids+=($!)
    done
    wait "${pids[@]}"
}

stack_down() {
    stop_all printer gateway verification filing-relay printer-bridge issuance authorization identity \
        registry-police registry-third-party registry-internal
    # "fast": PostgreSQL ends its sessions itself.
    if alive pg; then kill -INT "$(cat "$CHOP_VAR/run/pg.pid")" 2>/dev/null || true; fi
    stop_all mosquitto nats pg
    rm -f "$CHOP_VAR/run/url"
}

stack_running() { [ -e "$CHOP_VAR/run/url" ] && alive gateway; }
