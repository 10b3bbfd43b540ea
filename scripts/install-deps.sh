#!/usr/bin/env bash
# Installs what HelloCNN Serving needs, from Debian's own packages and nothing else. Does nothing when all is there.
#
#   scripts/install-deps.sh          what building and running needs
#   scripts/install-deps.sh --test   that, and what scripts/test.sh needs
#   scripts/install-deps.sh --neon   that of the first line, and what its stage "neon" needs: a compiler for AArch64 and qemu
#
# Works as root or through sudo, on Debian 12 and 13. On anything else it changes nothing and names what is needed.
set -euo pipefail

build_packages=(
  g++ cmake ninja-build pkgconf ccache
  libtorch-dev                                                  # the network and its training
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc libabsl-dev
  libssl-dev libc-ares-dev libre2-dev                           # gRPC's CMake package looks for them; checksums (libssl)
  libhwy-dev                                                    # SIMD with run-time dispatch
  libcjose-dev libjansson-dev                                   # signed tokens
  libnghttp2-dev                                                # the server's own transport
  prometheus-cpp-dev libmicrohttpd-dev libgnutls28-dev libcli11-dev libspdlog-dev
  libcpp-httplib-dev nlohmann-json3-dev libzip-dev zlib1g-dev
  libjpeg62-turbo-dev libpng-dev libwebp-dev libexif-dev         # pictures
  libgtest-dev libgmock-dev libbenchmark-dev
  help2man                                                      # manual pages out of --help
  dpkg-dev file                                                 # packages for Debian
)
test_packages=(
  clang clang-tidy clang-format
  libclang-rt-dev                                               # Clang's sanitizers and libFuzzer
  libclang-dev                                                  # a plugin for clang-tidy
  mold                                                          # links programs with sanitizers in less time
  python3 python3-grpcio python3-protobuf python3-numpy python3-torch
  python3-venv                                                  # clients of others, from PyPI
  util-linux
  curl                                                          # as a client of the HTTP port
  chromium chromium-driver python3-selenium                     # looks at the load generator's page
  zsh fish mandoc                                               # completions and manual pages
  faketime                                                      # programs whose wall clock is set while they run
  systemd strace lintian                                        # the unit, what it lets the server do, and the packages
  python3-yaml python3-kubernetes                               # the Kubernetes manifests, read and type-checked
)

neon_packages=(g++-aarch64-linux-gnu qemu-user-static)

usage() { sed -n '2,8s/^# \{0,1\}//p' "$0"; }

packages=("${build_packages[@]}")
for argument in "$@"; do
  case $argument in
    --test) packages+=("${test_packages[@]}") ;;
    --neon) packages+=("${neon_packages[@]}") ;;
    -h | --help) usage; exit 0 ;;
    *) echo "install-deps.sh: unknown argument '$argument'; --test, --neon and --help are known" >&2; exit 2 ;;
  esac
done

os_id=unknown os_version=unknown
if [[ -r /etc/os-release ]]; then
  os_id=$(. /etc/os-release && echo "${ID:-unknown}")
  os_version=$(. /etc/os-release && echo "${VERSION_ID:-unknown}")
fi
# Renders the Kubernetes manifests. Debian 12's is years too old: there the tests use what is installed, or check the base only.
if [[ $os_version == 13 && ${packages[*]} == *python3-kubernetes* ]]; then packages+=(kustomize); fi
if [[ $os_id != debian || ! $os_version =~ ^(12|13)$ ]]; then
  cat >&2 <<MESSAGE
install-deps.sh: this is $os_id $os_version; only Debian 12 and 13 are supported. Nothing was installed.
Wanted, by the names Debian gives them:
  ${packages[*]}
With those installed in another way, CMake finds them by itself; LibTorch and others in a place of their own
are found through CMAKE_PREFIX_PATH. See CONTRIBUTING.md.
MESSAGE
  exit 1
fi

is_installed() {
  [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

missing=()
for package in "${packages[@]}"; do
  is_installed "$package" || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  echo "install-deps.sh: all ${#packages[@]} packages are installed"
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "install-deps.sh: neither root nor sudo; as root, run: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "install-deps.sh: installing ${missing[*]}"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
echo "install-deps.sh: installed ${#missing[@]} packages"
