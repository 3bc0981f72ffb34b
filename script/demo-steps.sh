# What script/demo does, step by step. Sourced.

STEPS= ATTACKS= STEP_NAME= STEP_FROM=0

step_begin() { STEP_NAME=$1; STEP_TEXT=$2; STEP_FROM=$(now_ms); [ ! -t 1 ] || printf '  ...  %s' "$STEP_TEXT"; }
step_end() { # [FAILED]: one line with its time
    local ms=$(($(now_ms) - STEP_FROM)) ok=true word=ok
    [ -z "${1:-}" ] || { ok=false; word=FAIL; }
    [ ! -t 1 ] || printf '\r\033[K'
    printf '  %-4s %7d ms  %s\n' "$word" $ms "$STEP_TEXT"
    STEPS="$STEPS$(jq -cn --arg name "$STEP_NAME" --argjson ms $ms --argjson ok $ok '{name:$name,ms:$ms,ok:$ok}')"$'\n'
}
# step NAME TEXT COMMAND...: runs it; its own words go to demo.log and are shown when it fails.
step() {
    local name=$1 text=$2
    shift 2
    step_begin "$name" "$text"
    if "$@" >"$DEMO/step.log" 2>&1; then step_end; else
        step_end failed
        tail -n 5 "$DEMO/step.log" | sed 's/^/         /'
        cat "$DEMO/step.log" >>"$DEMO/demo.log"
        return 1
    fi
    cat "$DEMO/step.log" >>"$DEMO/demo.log"
}

# attack NAME TEXT CODE COMMAND...: must be refused with this code.
attack() {
    local name=$1 text=$2 want=$3 code refused=false word=FAIL
    shift 3
    code=$("$@" 2>>"$DEMO/demo.log") || true
    if [ "$code" = "$want" ]; then refused=true word=ok; fi
    printf '  %-4s refused: %-12s %s\n' $word "${code:-nothing}" "$text"
    ATTACKS="$ATTACKS$(jq -cn --arg name "$name" --argjson refused $refused --arg code "$code" '{name:$name,refused:$refused,code:$code}')"$'\n'
    $refused
}

# ---- who acts ------------------------------------------------------------------------------

cli() { # ROLE COMMAND...: as that person, on a terminal of one's own
    local role=$1
    shift
    CHOP_HOME=$DEMO/home/$role "$BUILD/bin/chop" --server "$URL" --yes --json --password-file "$DEMO/accounts/$role" "$@"
}
code_of() { # runs a command that should fail, prints the error's code
    "$@" 2>&1 >/dev/null | grep -oE '\bE[A-Z]{3,}\b' | head -n 1
}
password_new() { # ROLE
    [ -s "$DEMO/accounts/$1" ] || (umask 077; printf '%s\n' "demo-$(od -An -N5 -tx1 /dev/urandom | tr -d ' \n')" >"$DEMO/accounts/$1")
}
sign_in() { cli "$1" login --organization "$2" --account "$1"; }

organization_new() { # SLUG NAME ADMIN
    password_new "$3"
    "$BUILD/bin/chop" --server "$URL" --yes --json org create --operator-token-file "$CHOP_VAR/secrets/operator" --name "$2" \
        --slug "$1" --admin-account "$3" --admin-name 赵明 --admin-post 行政总监 --admin-password-file "$DEMO/accounts/$3"
    sign_in "$3" "$1"
}
member_new() { # ROLE NAME POST
    password_new "$1"
    cli admin member add --account "$1" --name "$2" --post "$3" --role "$1" --new-password-file "$DEMO/accounts/$1"
    sign_in "$1" "$SLUG"
}
equip() { # ROLE: a key factor and a device key, then a session on this terminal
    cli "$1" key new && cli "$1" key add --name demo && cli "$1" terminal register --name "demo-$1" && sign_in "$1" "$SLUG"
}

make_organization() {
    SLUG=demo-$(od -An -N3 -tx1 /dev/urandom | tr -d ' \n')
    organization_new "$SLUG" 北京示例科技有限公司 admin
}
make_members() {
    member_new user 张小三 销售经理
    member_new manager 李思源 法务总监
    member_new auditor 王慎行 审计
    equip admin && equip user && equip manager
}
make_seal() {
    local digits
    digits=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
    SEAL=$(cli admin seal create --name 合同专用章 --kind contract --width-um 40000 --height-um 40000 \
        --code "110108$(printf '%07d' $((digits % 10000000)))" | jq -r '.seal_id // .seal.seal_id')
    cli admin seal change "$SEAL" register --filing-number "京公章备$(date +%Y)-$((digits % 100000))"
    cli admin seal change "$SEAL" activate
}
make_specimen() {
    "$BUILD/bin/chop-draw" signature --text 李思源 >"$DEMO/specimen.outline"
    cli manager specimen --outline "$DEMO/specimen.outline"
}
make_printer() {
    cli admin printer code --name 便携印章打印机一号 >"$DEMO/printer-code.json"
    PRINTER=$(jq -r '.printer_id // .printer_code.printer_id' "$DEMO/printer-code.json")
    rm -rf "$DEMO/printer"
    CHOP_PRINTER_CODE=$(jq -r '.code // .printer_code.code' "$DEMO/printer-code.json") \
        "$BUILD/bin/chop-printer" --dir "$DEMO/printer" --enrol "$URL" --printer-id "$PRINTER"
}
pair_printer() {
    rm -f "$DEMO/printer/pairing-code"
    "$BUILD/bin/chop-printer" --dir "$DEMO/printer" --pair
    cli user pair "$PRINTER" --code-file "$DEMO/printer/pairing-code"
}
printer_online() { [ "$(cli user show "$PRINTER" | jq -r .online)" = true ]; }
printer_run() {
    mkdir -p "$DEMO/paper"
    launch printer "$BUILD/bin/chop-printer" --dir "$DEMO/printer" --output page --out "$DEMO/paper" --paper "$DEMO/document.pdf"
    wait_until 15 "printer" printer_online
}

# ---- the job -------------------------------------------------------------------------------

make_document() {
    if [ -n "$document" ]; then
        cp "$document" "$DEMO/document.pdf"
        "$BUILD/bin/chop-draw" pdfinfo "$DEMO/document.pdf" >"$DEMO/pdfinfo.json"
        jq -n --arg title "$(basename "$document" .pdf)" --slurpfile info "$DEMO/pdfinfo.json" '{title:$title,number:"",counterparty:"",
            amount:"",date:"",pages:$info[0].pages,copies:2,seal_place:{page:$info[0].pages,x_um:100000,y_um:215000}}' >"$DEMO/facts.json"
    else
        "$BUILD/bin/chop-draw" contract --out "$DEMO/document.pdf" --pages 3 >"$DEMO/facts.json"
    fi
}
fact() { jq -r "$1" "$DEMO/facts.json"; }

ask() {
    local options=() name
    for name in number counterparty amount date; do
        [ -z "$(fact ".$name")" ] || options+=(--$name "$(fact ".$name")")
    done
    REQUEST=$(cli user request --seal "$SEAL" --document "$DEMO/document.pdf" --title "$(fact .title)" "${options[@]}" \
        --pages "$(fact .pages)" --document-copies "$(fact .copies)" --copies 2 --purpose 签订合同 --upload \
        --page "$(fact .seal_place.page)" --x-um "$(fact .seal_place.x_um)" --y-um "$(fact .seal_place.y_um)" |
        jq -r '.request_id // .request.request_id')
    [ -n "$REQUEST" ] && [ "$REQUEST" != null ]
}
approve() {
    cli manager approve "$REQUEST" --sign --reason 条款已审核
    GRANT=$(cli user show "$REQUEST" | jq -r .grant_id)
    [ -n "$GRANT" ] && [ "$GRANT" != null ]
}
mqtt() { # PROGRAM CERTIFICATE KEY OPTIONS...: what a broker that turned evil could do needs a stolen certificate here
    local program=$1 cert=$2 key=$3
    shift 3
    "$program" -h localhost -p "$PORT_MQTT" --cafile "$CHOP_VAR/keys/ca.crt" --cert "$cert" --key "$key" -q 1 \
        -t "chop/v1/printer/$PRINTER/down/envelope" "$@"
}
print_both() {
    mqtt mosquitto_sub "$DEMO/printer/tls.pem" "$DEMO/printer/sign.pem" -C 1 -N -W 60 >"$DEMO/envelope.bin" &
    local tap=$!
    sleep 0.2
    cli user print "$GRANT" --printer "$PRINTER" --count 2 >"$DEMO/job.json"
    wait $tap
    local n
    for n in 0 1; do
        TOKEN[n]=$(jq -r ".marks[$n].token" "$DEMO/job.json")
        SERIAL[n]=$(jq -r ".marks[$n].serial" "$DEMO/job.json")
        CIPHER[n]=$(jq -r ".marks[$n].cipher" "$DEMO/job.json")
        [ "$(jq -r ".numbers[$n].state" "$DEMO/job.json")" = printed ]
    done
    PAGE_PNG=$DEMO/paper/${TOKEN[0]}.png PAGE_PDF=$DEMO/paper/${TOKEN[0]}.pdf
    [ -s "$PAGE_PNG" ] && [ -s "$PAGE_PDF" ]
}
all_receipted() { # 4 facts (authorization, command, two impressions) with 3 registries
    cli auditor filings --grant "$GRANT" --limit 100 >"$DEMO/filings.json"
    [ "$(jq '[.filings[] | select(.state == "receipted")] | length' "$DEMO/filings.json")" = 12 ]
}
genuine() { [ "$(jq -r .verdict "$1")" = genuine ]; }
verify_qr() {
    zbarimg -q -Sdisable -Sqrcode.enable -Scode128.enable "$PAGE_PNG" >"$DEMO/scan.txt" # both codes in one look
    VERIFY_URL=$(sed -n 's/^QR-Code://p' "$DEMO/scan.txt")
    cli user verify "$VERIFY_URL" >"$DEMO/verdict-qr.json" || true
    genuine "$DEMO/verdict-qr.json" && curl -sf --cacert "$CHOP_VAR/keys/ca.crt" "https://$VERIFY_HOST/V/${TOKEN[0]}" >"$DEMO/verdict.html"
}
verify_barcode() {
    cli user verify "$(sed -n 's/^CODE-128://p' "$DEMO/scan.txt")" >"$DEMO/verdict-barcode.json" || true
    genuine "$DEMO/verdict-barcode.json" && [ "$(jq -r .level "$DEMO/verdict-barcode.json")" = full ]
}
verify_digits() {
    cli user verify "${SERIAL[0]}" --cipher "${CIPHER[0]}" --document "$DEMO/document.pdf" >"$DEMO/verdict-digits.json" || true
    genuine "$DEMO/verdict-digits.json"
}

# ---- attacks: each prints the code it was refused with --------------------------------------

attack_overrun() { code_of cli user print "$GRANT" --printer "$PRINTER" --count 1; }
attack_swap() { # another document under the approved marks
    sed 's/甲方/乙方/' "$DEMO/document.pdf" >"$DEMO/swapped.pdf"
    printf '%% swapped\n' >>"$DEMO/swapped.pdf"
    cli user verify "${SERIAL[0]}" --cipher "${CIPHER[0]}" --document "$DEMO/swapped.pdf" | jq -r .verdict
}
attack_digit() {
    local s=${SERIAL[0]}
    cli user verify "${s:0:5}$(((${s:5:1} + 1) % 10))${s:6}" | jq -r .verdict
}
check_digit() { # ISO 7064 MOD 11,10
    local p=10 i s
    for ((i = 0; i < ${#1}; i++)); do
        s=$(((p + ${1:i:1}) % 10))
        [ $s != 0 ] || s=10
        p=$((s * 2 % 11))
    done
    echo $(((11 - p) % 10))
}
attack_copy() { # the first impression's digits beside the second one's serial, the check digit made to fit
    local seven=${CIPHER[0]:0:7}
    cli user verify "${SERIAL[1]}" --cipher "$seven$(check_digit "${SERIAL[1]:0:15}$seven")" | jq -r .verdict
}
replay_refused() { [ "$(grep -c '"error":"EUSED"' "$CHOP_VAR/log/printer.log")" -gt "$1" ]; }
attack_replay() { # the recorded envelope once more, as the broker could
    local prints before
    prints=$(wc -l <"$DEMO/paper/prints.log")
    before=$(grep -c '"error":"EUSED"' "$CHOP_VAR/log/printer.log" || true)
    mqtt mosquitto_pub "$CHOP_VAR/keys/bridge.crt" "$CHOP_VAR/keys/bridge-tls.key" -f "$DEMO/envelope.bin"
    wait_until 10 "answer of the printer" replay_refused "$before"
    [ "$(wc -l <"$DEMO/paper/prints.log")" = "$prints" ] || { echo PRINTED_TWICE; return; }
    echo EUSED
}
attack_foreign() { code_of cli other show "$REQUEST"; }

# ---- all of it -----------------------------------------------------------------------------

setup() {
    step organization "an organization with its admin" make_organization &&
        step members "user, manager, auditor; keys and terminals" make_members &&
        step seal "a contract seal: drawn, filed, active" make_seal &&
        step specimen "the manager's electronic signature" make_specimen &&
        step printer "a printer, enrolled with a one-time code" make_printer &&
        step stranger "another organization" organization_new "other-${SLUG#demo-}" 上海他人贸易有限公司 other &&
        printf 'SLUG=%s\nSEAL=%s\nPRINTER=%s\nSTARTS=1\n' "$SLUG" "$SEAL" "$PRINTER" >"$DEMO/state.env"
}
sign_in_again() {
    local role
    for role in admin user manager auditor; do sign_in $role "$SLUG"; done
    sign_in other "other-${SLUG#demo-}"
}

demo_run() {
    mkdir -p "$DEMO/home" "$DEMO/accounts"
    chmod 700 "$DEMO" "$DEMO/accounts"
    : >"$DEMO/demo.log"
    rm -f "$DEMO/summary.json"
    TOKEN=() SERIAL=() CIPHER=() PAGE_PNG= PAGE_PDF= VERIFY_URL=
    step stack "the stack: PostgreSQL, NATS, MQTT, five services, gateway, bridge, three registries" stack_up || return 1
    URL=$(cat "$CHOP_VAR/run/url")
    if [ -f "$DEMO/state.env" ]; then
        . "$DEMO/state.env"
        step accounts "the accounts of the last time" sign_in_again || return 1
    else
        setup || return 1
    fi
    step document "a contract" make_document || return 1
    step printer-online "the printer comes online" printer_run || return 1
    [ -e "$DEMO/paired" ] || { step pair "the user's terminal pairs with it by the code it shows" pair_printer && touch "$DEMO/paired"; } || return 1
    step request "张小三 asks to use the seal, twice, and uploads the contract" ask || return 1
    step approve "李思源 approves with his key and orders his signature" approve || return 1
    step print "张小三 proves his key again; the printer prints both copies" print_both || return 1
    step filed "four facts with three registries: twelve receipts" wait_until 30 "receipts" all_receipted || return 1
    step verify-qr "QR code: genuine" verify_qr || return 1
    step verify-barcode "bar code: genuine, all shown" verify_barcode || return 1
    step verify-digits "digits and document: genuine" verify_digits || return 1
    say "" && say "  Attacks:"
    local bad=0
    attack overrun "print once more than granted" EOVERRUN attack_overrun || bad=1
    attack swap "swap the document" mismatch attack_swap || bad=1
    attack digit "alter a digit" mistyped attack_digit || bad=1
    attack copy "copy a mark to another serial" mismatch attack_copy || bad=1
    attack replay "replay a print order to the printer" EUSED attack_replay || bad=1
    attack foreign "use another organization's id" ENOTFOUND attack_foreign || bad=1
    return $bad
}

memory_mb() { # resident, of everything started here
    local pid total=0 rss
    for pid in $(cat "$CHOP_VAR"/run/*.pid 2>/dev/null); do
        rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status" 2>/dev/null) || true
        total=$((total + ${rss:-0}))
    done
    echo $((total / 1024))
}

demo_summary() { # FAILED
    local verdict
    verdict() { [ ! -s "$DEMO/verdict-$1.json" ] || [ -z "$VERIFY_URL" ] || jq -r .verdict "$DEMO/verdict-$1.json"; }
    [ -s "$DEMO/filings.json" ] || echo '{}' >"$DEMO/filings.json"
    jq -n --argjson steps "[$(printf '%s' "$STEPS" | paste -sd,)]" --argjson attacks "[$(printf '%s' "$ATTACKS" | paste -sd,)]" \
        --arg page_png "$PAGE_PNG" --arg page_pdf "$PAGE_PDF" --arg token "${TOKEN[0]:-}" --arg serial "${SERIAL[0]:-}" \
        --arg cipher "${CIPHER[0]:-}" --arg verify_url "$VERIFY_URL" --arg qr "$(verdict qr)" --arg barcode "$(verdict barcode)" \
        --arg digits "$(verdict digits)" --slurpfile filings "$DEMO/filings.json" \
        '{steps:$steps, attacks:$attacks, page_png:$page_png, page_pdf:$page_pdf, token:$token, serial:$serial, cipher:$cipher,
          verify_url:$verify_url, verdicts:{qr:$qr, barcode:$barcode, digits:$digits},
          receipts:[($filings[0].filings // [])[] | select(.state == "receipted") | {registry, fact: .fact_kind, number}]}' >"$DEMO/summary.json"
    say ""
    if [ -n "$VERIFY_URL" ]; then
        say "  page      $PAGE_PNG (600 dpi)"
        say "            $PAGE_PDF"
        say "  token     ${TOKEN[0]}"
        say "  serial    ${SERIAL[0]}"
        say "  cipher    ${CIPHER[0]}"
        say "  QR reads  $VERIFY_URL"
        say "  verdicts  QR $(verdict qr), bar code $(verdict barcode), digits $(verdict digits)"
        say "  receipts"
        jq -r '.receipts[] | select(.fact == "impression-printed") | "            \(.registry)  \(.number)"' "$DEMO/summary.json" | sort -u
    fi
    say "  cost      $((($(now_ms) - begun) / 1000)) s, $(memory_mb) MB resident for the whole stack"
    say "  summary   $DEMO/summary.json"
    [ "$1" = 0 ] || say "  Something failed; see $DEMO/demo.log and $CHOP_VAR/log"
}

demo_links() {
    local role
    say ""
    say "  open      $URL  (organization $SLUG)"
    for role in user manager auditor admin; do say "            $role, password $(cat "$DEMO/accounts/$role")"; done
    say "  verify    https://$VERIFY_HOST/V/${TOKEN[0]:-}"
    say "            its certificate is of this demo's own authority: $CHOP_VAR/keys/ca.crt"
    say "  filed     http://127.0.0.1:$PORT_REG_POLICE  http://127.0.0.1:$PORT_REG_THIRD  http://127.0.0.1:$PORT_REG_INTERNAL"
}

lan_note() {
    say "  --lan: the verification page answers on https://$CHOP_LAN, on every network of this machine that has this address.
    will work      a phone in the same network scans the printed QR and reads the verdict, after a warning: the
                   certificate is of this demo's own authority ($CHOP_VAR/keys/ca.crt; install it to end the warning)
    will not work  WeChat's scanner and others that refuse unknown authorities; signing with a key on a phone before that
                   certificate is trusted; anything from outside this network, or through a firewall here"
}

