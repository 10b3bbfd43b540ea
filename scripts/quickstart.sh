#!/usr/bin/env bash
# From a fresh checkout to classified digits: installs what is missing, builds, starts the real server with the
# shipped model, classifies handwritten digits from MNIST's test set through the real command line, and stops the server.
#
#   scripts/quickstart.sh          leaves nothing running
#   scripts/quickstart.sh --keep   leaves the server running until Ctrl-C, with a page to draw digits on
#
# A second run only rebuilds what has changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

keep=
case ${1:-} in
  '') ;;
  --keep) keep=yes ;;
  -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "quickstart.sh: unknown argument '$1'; wanted nothing, --keep or --help" >&2; exit 2 ;;
esac

say() { printf '\n== %s\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@"; }

say "Installing what is missing"
scripts/install-deps.sh

say "Building"
cmake --preset release --log-level=NOTICE
cmake --build --preset release --target hellocnn-server hellocnn
export PATH="$PWD/build/release/bin:$PATH"

scratch=$(mktemp -d)
server_pid=
cleanup() {
  if [[ -n $server_pid ]] && kill -0 "$server_pid" 2>/dev/null; then
    kill -INT "$server_pid"
    wait "$server_pid" || true
  fi
  rm -rf "$scratch"
}
trap cleanup EXIT

say "Starting the server on free ports"
command=(hellocnn-server --listen 127.0.0.1:0 --metrics-listen 127.0.0.1:0 --http-listen 127.0.0.1:0 --model models/mnist/2)
echo "\$ ${command[*]}"
"${command[@]}" >"$scratch/stdout" 2>"$scratch/stderr" &
server_pid=$!
for ((i = 0; i < 600; ++i)); do
  ready=$(grep -m1 '^hellocnn-server ready' "$scratch/stdout" || true)
  [[ -z $ready ]] || break
  if ! kill -0 "$server_pid" 2>/dev/null; then
    echo "quickstart.sh: the server ended before it was ready:" >&2
    cat "$scratch/stderr" >&2
    exit 1
  fi
  sleep 0.1
done
if [[ -z $ready ]]; then
  echo "quickstart.sh: the server was not ready after 60 s:" >&2
  cat "$scratch/stderr" >&2
  exit 1
fi
echo "$ready"
HELLOCNN_SERVER=$(sed -E 's/.* grpc=([^ ]+).*/\1/' <<<"$ready")
export HELLOCNN_SERVER

say "Is it well, and what does it serve?"
show hellocnn health
show hellocnn describe

say "Three handwritten digits"
show hellocnn classify data/mnist-test/t10k-images-idx3-ubyte.gz --limit 3

say "All 10,000 test digits"
show hellocnn evaluate --data data/mnist-test

if [[ -n $keep ]]; then
  http=$(sed -E 's/.* http=([^ ]+).*/\1/' <<<"$ready")
  say "The server runs on, until Ctrl-C"
  cat <<MESSAGE
Draw a digit:  http://$http/
Metrics:       http://$(sed -E 's/.* metrics=([^ ]+).*/\1/' <<<"$ready")/

Try in another terminal:
  curl --data-binary @data/pictures/two-on-paper.jpg http://$http/classify
  build/release/bin/hellocnn classify data/pictures/two-on-paper.jpg --server $HELLOCNN_SERVER
  build/release/bin/hellocnn load --data data/mnist-test --server $HELLOCNN_SERVER
MESSAGE
  trap 'trap - INT' INT
  wait "$server_pid" || true
fi

say "Stopping, as Ctrl-C does"
kill -INT "$server_pid"
status=0
wait "$server_pid" || status=$?
server_pid=
if ((status != 0)); then
  echo "quickstart.sh: the server exited with $status" >&2
  cat "$scratch/stderr" >&2
  exit 1
fi
echo "The server finished what it had accepted and exited with 0."
