#!/bin/sh
# Installs the build to an empty prefix, then builds and runs programs against what was installed: a program with pictures,
# the programs of the documents with the CMake files beside them, and programs through pkg-config. Then moves the prefix, and
# runs the installed server and command line from another folder.
# Usage: install_test.sh CMAKE BUILD_DIR SOURCE_DIR COMPILER [COMPILER_FLAGS]
set -eu
cmake=$1
build=$2
source=$3
compiler=$4
flags=${5:-}
consumer=$source/tests/client/consumer
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT

"$cmake" --install "$build" --prefix "$work/prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
for file in bin/hellocnn include/hellocnn/client/client.h include/hellocnn/client/batching_client.h include/hellocnn/client/picture.h include/hellocnn/v1/classifier_service.pb.h \
    share/hellocnn/protos/hellocnn/v1/classifier_service.proto \
    share/bash-completion/completions/hellocnn share/zsh/site-functions/_hellocnn share/fish/vendor_completions.d/hellocnn.fish \
    $(command -v help2man >/dev/null && echo share/man/man1/hellocnn.1 share/man/man1/hellocnn-load.1); do
  [ -e "$work/prefix/$file" ] || { echo "not installed: $file"; exit 1; }
done
"$work/prefix/bin/hellocnn" --version

build_program() {
  "$cmake" -G Ninja -S "$1" -B "$2" -DCMAKE_PREFIX_PATH="$work/prefix" \
    -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="$flags" \
    >"$work/configure.log" 2>&1 || { cat "$work/configure.log"; exit 1; }
  "$cmake" --build "$2"
}
build_program "$consumer" "$work/consumer"
"$work/consumer/consumer"

for document in client pictures; do
  mkdir "$work/$document"
  "$(dirname "$0")/extract_examples.py" --program "$source/docs/$document.md" "$work/$document"
  build_program "$work/$document" "$work/$document/build"
done
my_program=$work/client/build/my_program
classify_picture=$work/pictures/build/classify_picture
expect_unavailable() {
  status=0
  "$@" 127.0.0.1:1 2>"$work/unavailable" || status=$?
  cat "$work/unavailable"
  [ "$status" = 1 ] && grep -q '^UNAVAILABLE: ' "$work/unavailable"
}
expect_unavailable "$my_program"
expect_unavailable "$classify_picture" "$source/data/pictures/seven.png"

# Builds through pkg-config, from a different place than the one that the build was installed to.
mv "$work/prefix" "$work/moved"
pkgconfig=$(dirname "$(find "$work/moved" -name hellocnn-client.pc)")
flags_of() { PKG_CONFIG_PATH="$pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}" pkg-config "$@"; }
# shellcheck disable=SC2046,SC2086
"$compiler" -std=c++20 $flags "$source/client/examples/classify_digits.cc" -o "$work/example" \
    $(flags_of --cflags --libs hellocnn-client) -lz
# shellcheck disable=SC2046,SC2086
"$compiler" -std=c++20 $flags "$consumer/main.cc" -o "$work/pictures_example" \
    $(flags_of --cflags --libs hellocnn-picture hellocnn-client)
"$work/pictures_example"
[ "$(flags_of --modversion hellocnn-client)" = "$("$work/moved/bin/hellocnn" --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+')" ]
status=0
"$work/example" 2>"$work/usage" || status=$?
cat "$work/usage"
[ "$status" = 2 ] && grep -q '^usage: classify_digits' "$work/usage"

# The installed programs find the installed model from anywhere, also where the tree was moved to.
[ -x "$work/moved/bin/hellocnn-server" ] || exit 0
cd /
"$work/moved/bin/hellocnn-server" --print-config | tr -s ' ' | grep -F "model = \"$work/moved/share/hellocnn/models/mnist/2\""
"$work/moved/bin/hellocnn-server" --listen=127.0.0.1:0 --metrics-listen=off >"$work/ready" 2>"$work/log" &
server=$!
until grep -q ready "$work/ready"; do
  kill -0 "$server" 2>/dev/null || { cat "$work/log"; server=; exit 1; }
  sleep 0.1
done
address=$(sed -n 's/.*grpc=\([^ ]*\).*/\1/p' "$work/ready")
"$work/moved/bin/hellocnn" --server "$address" describe | grep '^model  *mnist, version 2'
[ "$("$my_program" "$address")" = 1 ]
[ "$("$classify_picture" "$source/data/pictures/seven.png" "$address")" = 7 ]
kill "$server"
wait "$server"
server=
"$work/moved/bin/hellocnn" tune --slo p99=200ms --budget 3s --duration 300ms --try-threads 1 --try-batch-sizes 8 --rate 100 >"$work/tune" 2>&1 ||
  { cat "$work/tune"; exit 1; }
