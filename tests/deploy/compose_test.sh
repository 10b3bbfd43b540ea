#!/usr/bin/env bash
# Builds the images and runs deploy/compose.yaml for real: answers, metrics, locks, stopping under load, replicas.
#
#   tests/deploy/compose_test.sh
#
# Needs docker with compose version 2 on Linux, and python3 for some of it; without docker it says so and exits with 77, which means
# skipped. Takes whatever ports are free, and leaves nothing behind but what docker caches of builds.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
case ${1:-} in
  '') ;;
  -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "compose_test.sh: takes no argument, not '$1'" >&2; exit 2 ;;
esac
if ! docker info >/dev/null 2>&1 || ! docker compose version >/dev/null 2>&1; then
  echo "compose_test.sh: skipped: no docker engine, or no docker compose"
  exit 77
fi

export COMPOSE_PROJECT_NAME=hellocnn-test-$$
export SERVER_IMAGE=hellocnn-server:test-$$ LOADTEST_IMAGE=hellocnn-loadtest:test-$$
export SERVER_PORT='' SERVER_METRICS_PORT='' SERVER_HTTP_PORT='' PROMETHEUS_PORT='' GRAFANA_PORT='' BALANCER_PORT=''
export SERVER_CPUS
SERVER_CPUS=$(docker info --format '{{.NCPU}}')
client_image=hellocnn-client:test-$$
torch_image=hellocnn-server-torch:test-$$
balancer_image=hellocnn-balancer:test-$$
models_image=hellocnn-models:test-$$
network=${COMPOSE_PROJECT_NAME}_default
service=hellocnn.v1.ClassifierService

scratch=$(mktemp -d)
passed=0 failed=0
clients=()

cleanup() {
  touch "$scratch/enough"
  ((${#clients[@]} == 0)) || wait "${clients[@]}"
  docker compose --profile '*' down --volumes --timeout 5 >"$scratch/down.log" 2>&1 || cat "$scratch/down.log"
  docker image rm --force "$SERVER_IMAGE" "$torch_image" "$LOADTEST_IMAGE" "$client_image" "$balancer_image" "$models_image" >/dev/null 2>&1
  rm -rf "$scratch"
}
trap cleanup EXIT

# What compose mounts.
cp -r models "$scratch/models"
export MODELS=$scratch/models

say() { printf '== %3d s  %s\n' "$SECONDS" "$*"; }

# check NAME COMMAND…: counts whether it succeeds; what it prints is shown if it doesn't.
check() {
  local name=$1
  shift
  if "$@" >"$scratch/check.log" 2>&1; then
    passed=$((passed + 1))
    echo "ok      $name"
  else
    failed=$((failed + 1))
    echo "FAILED  $name"
    tail -n 20 "$scratch/check.log" | sed 's/^/        | /'
    return 1
  fi
}

# is SEEN WANTED
is() { [[ $1 == "$2" ]] || { echo "seen   $1"; echo "wanted $2"; return 1; }; }
fails() { ! "$@"; }

# eventually COMMAND…: tries for half a minute.
eventually() {
  local i
  for ((i = 0; i < 60; ++i)); do "$@" && return; sleep 0.5; done
  return 1
}

container() { docker compose ps --all --quiet "$1"; }
inspect() { docker inspect --format "$2" "$1"; }
address() { inspect "$1" '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'; }

# http ADDRESS PORT PATH: the answer with its head.
http() {
  exec 3<>"/dev/tcp/$1/$2" && printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$3" "$1" >&3 && cat <&3
  exec 3>&-
}

# answered CONTAINER: Classify calls that the server in it has answered with OK.
answered() {
  http "$(address "$1")" 9464 /metrics |
    awk '/^hellocnn_requests_total/ && /method="Classify"/ && /code="OK"/ {sum += $2} END {print sum + 0}'
}
has_answered() { (($(answered "$1") > $2)); }

# has_connections CONTAINER NUMBER: as many clients are connected to the server in it, or more.
has_connections() { (($(http "$(address "$1")" 9464 /metrics | awk '/^hellocnn_connections / {print $2}') >= $2)); }

# reports_when_interrupted CONTAINER: a load test that was told to end has said what it measured, and no request failed.
reports_when_interrupted() {
  local output
  output=$(docker logs "$1" 2>&1)
  echo "$output"
  is "$(inspect "$1" '{{.State.ExitCode}}')" 1 && grep -q '^INTERRUPTED' <<<"$output" && grep -qF ' succeeded, 0 failed (' <<<"$output" &&
    is "$(grep '^hellocnn: ' <<<"$output" | tail -1)" \
      'hellocnn: interrupted; the report has what was measured until then [CANCELLED]'
}

# run_client ARGUMENT…: the command line from its own image, on this machine's network, as a user outside of compose has it.
run_client() { docker run --rm --network host -v "$PWD/data/mnist-test:/data:ro" "$client_image" "$@"; }

# start_clients SERVER: four that send one image after the other, again and again, until stop_clients. Each ends a round at the
# first error, so its log has each error there was.
start_clients() {
  rm -f "$scratch/enough" "$scratch"/client.*
  local i
  for i in 1 2 3 4; do
    while [[ ! -e $scratch/enough ]]; do
      docker run --rm --network "$network" "$LOADTEST_IMAGE" --server "$1" evaluate --data /data/mnist-test \
        --limit 4000 --batch 1 --concurrency 1 >>"$scratch/client.$i" 2>&1
    done &
    clients+=($!)
  done
}

stop_clients() {
  touch "$scratch/enough"
  wait "${clients[@]}"
  clients=()
}

# A request may be refused, by a server that says that it drains. It is lost if the connection breaks under it, or if it
# gets no answer.
first_errors() { grep -h -m1 '^hellocnn: ' "$scratch"/client.*; }
all_errors() { grep -h '^hellocnn: ' "$scratch"/client.*; }
# Some were rejected, or found nobody to connect to and were never sent, and none failed in another way.
refused_at_last() {
  local errors
  errors=$(first_errors | sort | uniq --count)
  echo "$errors"
  [[ -n $errors ]] && ! grep -vE '(server is draining; |failed to connect to all addresses; |DNS resolution failed).*\[UNAVAILABLE\]$' <<<"$errors"
}

# ended_in_order CONTAINER: everything was finished within the drain timeout.
ended_in_order() {
  docker logs "$1" 2>&1 | tail -4
  is "$(inspect "$1" '{{.State.ExitCode}} {{.State.OOMKilled}}')" "0 false" &&
    docker logs "$1" 2>&1 | grep -q 'drained$' && ! docker logs "$1" 2>&1 | grep 'timeout has passed'
}

build() { docker build --quiet --target "$1" --tag "$2" . ; }

# The real image where it can be had, else the same program from Debian.
get_balancer() {
  docker image inspect haproxy:3.0 >/dev/null 2>&1 || docker pull --quiet haproxy:3.0 && return
  export HAPROXY_IMAGE=$balancer_image
  docker build --quiet --tag "$balancer_image" - <<'IMAGE'
FROM debian:trixie-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends haproxy && rm -rf /var/lib/apt/lists/*
USER haproxy
ENTRYPOINT ["haproxy"]
CMD ["-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
IMAGE
}

# files CONTAINER: each regular file of its image, with its mode. Docker adds some empty ones of its own.
files() { docker export "$1" | tar -tv | awk '/^-/ && $6 !~ /^(\.dockerenv|dev\/|etc\/(hostname|hosts|resolv\.conf)$)/ {print $1, $6}'; }
programs() { files "$1" | awk '$1 ~ /x/ && $2 !~ /\.so/ {print $2}' | sort | paste -sd ' '; }

sbom_is_sound() {
  scripts/print-sbom.sh "$SERVER_IMAGE" >"$scratch/sbom.json" && python3 - "$scratch/sbom.json" <<'PYTHON'
import json, sys
sbom = json.load(open(sys.argv[1]))
assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.5"), sbom
components = {component["name"]: component for component in sbom["components"]}
assert len(components) == len(sbom["components"]), "a package is there twice"
for name in ("libc6", "libstdc++6", "nlohmann-json3-dev"):
    assert name in components, f"{name} is missing among {sorted(components)}"
assert any(name.startswith("libgrpc++") for name in components), sorted(components)
for component in components.values():
    assert component["version"][0].isdigit(), component
    assert component["purl"].startswith(f"pkg:deb/debian/{component['name']}@"), component
    assert all(entry["license"]["name"] for entry in component["licenses"]), component
print(len(components), "packages")
PYTHON
}

# licences_are_there CONTAINER: each package of the list has its licence in the image.
licences_are_there() {
  is "$(files "$1" | sed -nE 's/^[^ ]+ usr\/share\/doc\/([^/]+)\/copyright$/\1/p' | sort)" \
     "$(sed -nE 's/^ *\{"type": "library", "name": "([^"]+)".*/\1/p' "$scratch/sbom.json")"
}

says_what_it_lacks() {
  local output
  output=$(docker run --rm "$SERVER_IMAGE" --engine=torch 2>&1)
  is $? 1 && grep 'there is no /usr/lib/hellocnn/hellocnn-torch.so' <<<"$output"
}

say "building the images"
check "the server's image builds" build slim "$SERVER_IMAGE" || exit 1
check "so does the one with LibTorch" build server "$torch_image" || exit 1
check "the client's image builds" build client "$client_image" || exit 1
check "the load generator's image builds" build loadtest "$LOADTEST_IMAGE" || exit 1
check "so does the one with models alone" build models "$models_image" || exit 1
check "a balancer is at hand" get_balancer
check "the compose file is valid, with every profile" docker compose --profile '*' config --quiet
config() { docker compose --profile '*' config; }
check "nothing is published beyond loopback" is "$(config | grep -c 'host_ip: 127.0.0.1')" "$(config | grep -c 'mode: ingress')"

say "starting server and Prometheus"
check "both become healthy" docker compose up --detach --no-build --wait --wait-timeout 120 server prometheus || exit 1
server=$(container server)
target=$(docker compose port server 8500)

say "answers, through $target"
check "health says SERVING" is "$(run_client --server "$target" health 2>&1)" SERVING
check "so does the service's own" is "$(run_client --server "$target" health --service $service 2>&1)" SERVING
digits=$(run_client --server "$target" classify /data/t10k-images-idx3-ubyte.gz --limit 3 --top 1 2>&1 |
  sed -nE 's/^ +([0-9]) +[0-9.]+%.*/\1/p' | paste -sd ' ')
check "three digits are read" is "$digits" "7 2 1"
accuracy=$(run_client --server "$target" describe 2>&1 | sed -nE 's/^test accuracy +//p')
evaluation=$(run_client --server "$target" evaluate --data /data 2>&1 | sed -nE 's/.* right, //p')
check "accuracy over the test digits is what the model card says" is "$evaluation" "${accuracy:-no accuracy}"
version=$(run_client --version | sed 's/.* //')
check "the label has the program's version" \
  is "$(inspect "$server" '{{index .Config.Labels "org.opencontainers.image.version"}}')" "$version"

say "Prometheus"
query() { docker compose exec -T prometheus promtool query instant http://127.0.0.1:9090 "$1"; }
query_has() { [[ $(query "$1") == *"$2"* ]]; }
check "it scrapes the server" eventually query_has 'up{job="hellocnn-server"} == 1' 'instance='
check "it sees the calls" eventually query_has 'sum(hellocnn_requests_total{method="Classify",code="OK"}) > 100' '=>'
if command -v python3 >/dev/null; then
  check "the load test starts" docker compose --profile loadtest up --detach --no-build loadtest
  check "every query of the dashboards answers" \
    python3 tests/deploy/query_dashboards.py "http://$(docker compose port prometheus 9090)" --wait 180 --no-candidate
  check "the load test stops" docker compose --profile loadtest stop loadtest
  load=$(container loadtest)
  check "and says what it has measured" reports_when_interrupted "$load"
else
  echo "not run: the dashboards' queries need python3"
fi

say "locks"
status=/proc/$(inspect "$server" '{{.State.Pid}}')/status
check "it runs as a user without a name elsewhere" is "$(awk '/^Uid:/ {print $2, $3}' "$status")" "65532 65532"
check "it has no capability" is "$(awk '/^Cap(Eff|Prm|Bnd|Amb):/ {print $2}' "$status" | sort -u)" 0000000000000000
check "it can gain no privilege" is "$(awk '/^NoNewPrivs:/ {print $2}' "$status")" 1
check "its file system is read-only" is "$(inspect "$server" '{{.HostConfig.ReadonlyRootfs}}')" true
check "memory, CPU and processes are limited" \
  is "$(inspect "$server" '{{with .HostConfig}}{{if and .Memory .NanoCpus .PidsLimit}}limited{{end}}{{end}}')" limited
check "the only programs in it are its own" \
  is "$(programs "$server")" "usr/bin/hellocnn usr/bin/hellocnn-server"
check "there is no shell" fails docker compose exec -T server sh -c true
check "the health check is no shell's either" is "$(inspect "$server" '{{index .Config.Healthcheck.Test 0}}')" CMD
check "the health check fails where nobody serves" \
  fails docker run --rm --entrypoint /usr/bin/hellocnn "$SERVER_IMAGE" health --timeout 1s
if command -v python3 >/dev/null; then
  check "the list of what is in it is sound" sbom_is_sound
  check "each package of the list has its licence in it" licences_are_there "$server"
else
  echo "not run: the list of what is in it needs python3"
fi

say "the image with LibTorch"
check "the slim one says what it lacks" says_what_it_lacks
with_torch=$(docker run --detach --rm --read-only --network "$network" --cap-drop ALL "$torch_image" --engine=torch)
serves_with_torch() { docker logs "$with_torch" 2>&1 | grep -q 'engine torch$' && docker exec "$with_torch" /usr/bin/hellocnn health; }
check "the other serves with LibTorch" eventually serves_with_torch
docker rm --force "$with_torch" >/dev/null

say "a model mounted over the image's"
cp -r models/mnist/2 "$scratch/model"
sed -i 's/"version": *"2"/"version": "2-mounted"/' "$scratch/model/model_card.json"
mounted=$(docker run --detach --rm --read-only --network "$network" --cap-drop ALL -v "$scratch/model:/models/mnist/2:ro" "$SERVER_IMAGE")
describes_mounted() {
  docker run --rm --network "container:$mounted" "$client_image" describe | grep 'version 2-mounted'
}
check "is served" eventually describes_mounted
docker stop "$mounted" >/dev/null

say "a new version of a model"
cp -r "$scratch/models/mnist/2" "$scratch/models/mnist/.3"
mv "$scratch/models/mnist/.3" "$scratch/models/mnist/3"
describes_three() { run_client --server "$target" describe | grep 'version 3'; }
check "is served without a restart" eventually describes_three

say "the image with models alone"
holder=$(docker create "$models_image" none)
check "it has the models and no program" is "$(files "$holder" | awk '{print $2}' | sort)" "$(cd models && find . -type f | cut -c3- | sort)"
docker rm "$holder" >/dev/null

say "stopping the server under load"
before=$(answered "$server")
start_clients server:8500
# All of them: one that starts later finds nobody, not a server that drains.
check "the clients are connected" eventually has_connections "$server" 4
check "load flows" eventually has_answered "$server" $((before + 1000))
check "the server stops" docker compose stop server
stop_clients
check "it finished what it had accepted" ended_in_order "$server"
check "no request was lost" refused_at_last

say "three replicas behind a balancer"
check "all become healthy" docker compose up --detach --no-build --wait --wait-timeout 120 replica balancer
mapfile -t replicas < <(container replica)
check "there are three" is ${#replicas[@]} 3
check "the balancer answers through its published port" \
  eventually run_client --server "$(docker compose port balancer 8500)" health
start_clients balancer:8500
for replica in "${replicas[@]}"; do
  check "calls reach replica ${replica:0:12}" eventually has_answered "$replica" 500
done
counts=$(for replica in "${replicas[@]}"; do answered "$replica"; done | sort -n | paste -sd ' ')
check "evenly: the least loaded has more than half of what the most loaded has ($counts)" \
  awk '{exit !($1 > $3 / 2)}' <<<"$counts"
check "one of them stops under load" docker stop --time 30 "${replicas[0]}"
check "it finished what it had accepted" ended_in_order "${replicas[0]}"
check "the others go on" eventually has_answered "${replicas[1]}" $(($(answered "${replicas[1]}") + 500))
stop_clients
check "no request failed" is "$(all_errors)" ''

say "the end"
echo "$passed passed, $failed failed"
((failed == 0))
