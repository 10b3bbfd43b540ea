#!/bin/sh
# Installs the build to an empty prefix, then builds and runs programs against what was installed: one through the CMake
# package, and the documented example through pkg-config.
# Usage: install_test.sh CMAKE BUILD_DIR CONSUMER_DIR EXAMPLE_CC COMPILER [COMPILER_FLAGS]
set -eu
cmake=$1
build=$2
consumer=$3
example=$4
compiler=$5
flags=${6:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$cmake" --install "$build" --prefix "$work/prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
for file in bin/hellocnn include/hellocnn/client/client.h include/hellocnn/client/batching_client.h include/hellocnn/v1/classifier_service.pb.h \
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

# Builds through pkg-config, from a different place than the one that the build was installed to.
mv "$work/prefix" "$work/moved"
pkgconfig=$(dirname "$(find "$work/moved" -name hellocnn-client.pc)")
flags_of() { PKG_CONFIG_PATH="$pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}" pkg-config "$@" hellocnn-client; }
# shellcheck disable=SC2046,SC2086
"$compiler" -std=c++20 $flags "$example" -o "$work/example" $(flags_of --cflags --libs) -lz
[ "$(flags_of --modversion)" = "$("$work/moved/bin/hellocnn" --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+')" ]
status=0
"$work/example" 2>"$work/usage" || status=$?
cat "$work/usage"
[ "$status" = 2 ] && grep -q '^usage: classify_digits' "$work/usage"
