#!/usr/bin/env bash
# Checks docker-compose.yml and what it builds, without docker: it parses, it says the same as script/lib.sh about every
# part, each part sees only its own keys, and nothing is published beyond this machine.
export CHOP_VAR
CHOP_VAR=$(mktemp -d)
trap 'rm -rf "$CHOP_VAR"' EXIT
. "$(dirname "$0")/../script/lib.sh"
mkdir -p "$CHOP_VAR/secrets"
for name in $PORT_NAMES; do declare "PORT_$name=1"; done
verify_host
for s in $SERVICES; do # "SERVICE VARIABLE" a line: what a part needs
    service_env "$s"
    for pair in "${ENV[@]}"; do printf '%s %s\n' "$s" "${pair%%=*}"; done
done >"$CHOP_VAR/environment"
for script in healthy init install-packages start-nats start-mosquitto start-postgres; do bash -n "$ROOT/deploy/images/$script"; done
cd "$ROOT"
python3 - "$CHOP_VAR/environment" "$SERVICES_WITH_STORE" <<'PYTHON'
import collections, json, os, re, sys, yaml

faults, checks = [], 0


def check(good, *words):
    global checks
    checks += 1
    if not good:
        faults.append(" ".join(str(w) for w in words))


with open("docker-compose.yml", encoding="utf-8") as f:
    file = yaml.safe_load(f)
services, volumes = file["services"], file["volumes"]
with open("deploy/images/Dockerfile", encoding="utf-8") as f:
    dockerfile = f.read().replace("\\\n", " ")
with open("deploy/images/init", encoding="utf-8") as f:
    init = f.read()

# ---- the Dockerfile: stages, what they copy, who they run as ----
stages, users, stage = {}, {}, None
for line in dockerfile.splitlines():
    word = line.split()
    if not word or word[0].startswith("#"):
        continue
    if word[0] == "FROM":
        parent, stage = word[1], word[3]
        check(parent in stages or parent == "${BASE}", "Dockerfile:", stage, "stands on an unknown stage", parent)
        stages[stage], users[stage] = parent, users.get(parent, "root")
    if word[0] == "USER":
        users[stage] = word[1]
    if word[0] == "COPY" and not word[1].startswith("--from"):
        for source in word[1:-1]:
            check(os.path.exists(source), "Dockerfile:", stage, "copies", source, "which is not there")

# ---- what a part needs, from script/lib.sh ----
needs = collections.defaultdict(set)
with open(sys.argv[1], encoding="utf-8") as f:
    for line in f:
        service, variable = line.split()
        needs[service].add(variable)
more = {"HEALTH", "ADDRESS", "MQTT_PUBLIC_HOST"}  # what only a container needs
for name, variables in needs.items():
    prefix = "CHOP_" + name.upper().replace("-", "_") + "_"
    has = set(services.get(name, {}).get("environment", {}))
    check(name in services, name, "of script/lib.sh is no service here")
    check(variables <= has, name, "lacks", sorted(variables - has))
    strange = {v for v in has - variables if v.removeprefix(prefix) not in more}
    check(not strange, name, "has what script/lib.sh does not set:", sorted(strange))
for name in sys.argv[2].split():
    check(needs[name] and "postgres" in services[name]["depends_on"], name, "does not wait for its store")

# ---- every service ----
seen = collections.defaultdict(set)
for name, s in services.items():
    build = s["build"]
    check(build["target"] in stages, name, "builds an unknown target", build["target"])
    check(build["dockerfile"] == "deploy/images/Dockerfile", name, "builds another Dockerfile")
    check((users.get(build["target"]) == "root") == (name == "init"), name, "runs as", users.get(build["target"]))
    check(s.get("read_only") is True, name, "may write its root file system")
    check(s.get("cap_drop") == ["ALL"], name, "keeps capabilities")
    check("cap_add" not in s or name == "init", name, "takes capabilities")
    check("no-new-privileges:true" in s.get("security_opt", []), name, "may gain privileges")
    check("privileged" not in s, name, "is privileged")
    check(s.get("logging", {}).get("options", {}).get("max-size"), name, "logs without a limit")
    check("healthcheck" in s or name in ("init", "printer"), name, "has no health check")
    for port in s.get("ports", []):
        check(str(port).startswith("127.0.0.1:"), name, "is published beyond this machine:", port)
    for other in s.get("depends_on", {}):
        check(other in services, name, "depends on unknown", other)
    for network in s.get("networks", []):
        check(network in file["networks"], name, "is on an unknown network", network)
    mounts = {}
    for volume in s.get("volumes", []):
        source, target, *mode = volume.split(":")
        mounts[target] = source
        if source.startswith("."):
            check(os.path.exists(source) and mode == ["ro"], name, "mounts", volume)
            continue
        check(source in volumes, name, "mounts an undeclared volume", source)
        seen[source].add(name)
        check(mode == ["ro"] or name == "init" or target == "/data", name, "may write", volume)
    if name != "init" and "/secrets" in mounts:
        check(mounts["/secrets"] == "private-" + name, name, "mounts another's secrets:", mounts["/secrets"])
    # Every file that is named lies on something mounted, and init makes it.
    words = list(s.get("environment", {}).values()) + list(s.get("command", []))
    for word in words:
        for path in re.findall(r"(/secrets/[^\s]+|/keys/[^\s]+|/etc/chop/[^\s]+)", str(word)):
            check(any(path == m or path.startswith(m + "/") for m in mounts), name, "cannot see", path)
            base = os.path.basename(path)
            stem = re.sub(r"^(nats|pg|pgpass|webhook|registry)-.*", r"\1-", base)
            stem = r"\b" + re.escape(re.sub(r"\.(pem|crt|key)$", "", stem))
            check(path.startswith("/etc/") or re.search(stem, init), name, "reads", path, "which init does not make")
for name in ("nats", "postgres"):
    check(services[name]["networks"] == ["inside"] and "ports" not in services[name], name, "can be reached from outside")
check(file["networks"]["inside"] == {"internal": True}, "the inner network leads outside")

# ---- volumes: the root key is init's alone, every other secret one part's and init's ----
for volume in volumes:
    check(seen[volume], "nobody mounts", volume)
    if volume == "deployment":
        check(seen[volume] == {"init"}, "the root key is seen by", seen[volume])
    elif volume.startswith("private-"):
        part = volume.removeprefix("private-")
        check(seen[volume] == {"init", part}, volume, "is seen by", seen[volume])
        check(services["init"]["volumes"].count(f"{volume}:/private/{part}") == 1, "init does not fill", volume)
    elif volume != "trust":
        check(len(seen[volume]) == 1, volume, "is shared by", seen[volume])
check(not re.search(r"(PASSWORD|TOKEN|SECRET):\s*[^$\s]", open("docker-compose.yml", encoding="utf-8").read()),
      "docker-compose.yml holds a secret")

# ---- registries ----
with open("deploy/compose/registries.json", encoding="utf-8") as f:
    for registry in json.load(f):
        host = re.fullmatch(r"https?://([a-z0-9.-]+)(:\d+)?", registry["url"])
        check(host and host[1] in services, "registries.json:", registry["url"], "is nobody here")
        command = services.get(host[1], {}).get("command", [])
        check(registry["name"] in command, "registries.json:", host[1], "has another name than", registry["name"])
        check(registry["title"] in command, "registries.json:", host[1], "has another title than", registry["title"])
        check(registry["secret_file"] in command, "registries.json:", registry["secret_file"], "is not what", host[1], "has")

for fault in faults:
    print("docker-compose:", fault, file=sys.stderr)
print(f"{checks - len(faults)} passed, {len(faults)} failed")
sys.exit(1 if faults or not checks else 0)
PYTHON
