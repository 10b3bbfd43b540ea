#!/bin/sh
# Installs the build to an empty prefix, then builds and runs a program against what was installed.
# Usage: install_test.sh CMAKE BUILD_DIR CONSUMER_DIR COMPILER [COMPILER_FLAGS]
set -eu
cmake=$1
build=$2
consumer=$3
compiler=$4
flags=${5:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$cmake" --install "$build" --prefix "$work/prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
for file in bin/hellocnn include/hellocnn/client.h include/hellocnn/v1/classifier_service.pb.h \
    share/hellocnn/protos/hellocnn/v1/classifier_service.proto \
    share/bash-completion/completions/hellocnn share/zsh/site-functions/_hellocnn share/fish/vendor_completions.d/hellocnn.fish \
    $(command -v help2man >/dev/null && echo share/man/man1/hellocnn.1 share/man/man1/hellocnn-load.1); do
  [ -e "$work/prefix/$file" ] || { echo "not installed: $file"; exit 1; }
done
"$work/prefix/bin/hellocnn" --version

"$cmake" -G Ninja -S "$consumer" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" \
  -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="$flags" \
  >"$work/configure.log" 2>&1 || { cat "$work/configure.log"; exit 1; }
"$cmake" --build "$work/build"
"$work/build/consumer"
