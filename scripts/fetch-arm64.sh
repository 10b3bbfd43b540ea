#!/usr/bin/env bash
# Fetches the libraries for AArch64 that the preset "neon" links, from Debian's own packages.
#
#   scripts/fetch-arm64.sh     leaves build/arm64
#
# Installs nothing, and does not add the architecture to the system: it has package lists of its own. Needs no root. Does
# nothing when build/arm64 is there already. Exits with 77 if the cross-compiler or qemu is not installed.
set -euo pipefail

case ${1:-} in
  '') ;;
  -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "fetch-arm64.sh: unknown argument '$1'; --help is known" >&2; exit 2 ;;
esac
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=$root/build/arm64

missing=()
command -v aarch64-linux-gnu-g++ >/dev/null || missing+=(g++-aarch64-linux-gnu)
command -v qemu-aarch64-static >/dev/null || missing+=(qemu-user-static)
command -v apt-get >/dev/null || missing+=(apt)
if ((${#missing[@]} > 0)); then
  echo "fetch-arm64.sh: not installed: ${missing[*]}" >&2
  exit 77
fi
if [[ -e $target/complete ]]; then
  echo "fetch-arm64.sh: $target is there already"
  exit 0
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial" "$scratch/packages"
cat > "$scratch/apt.conf" <<CONF
APT::Architectures { "$(dpkg --print-architecture)"; "arm64"; };
APT::Sandbox::User "$(id -un)";
Dir::State::Lists "$scratch/lists";
Dir::Cache "$scratch/cache";
CONF
export APT_CONFIG=$scratch/apt.conf
apt-get update -qq
cd "$scratch/packages"
apt-get download -qq libabsl-dev:arm64 libhwy-dev:arm64 libgtest-dev:arm64 libgmock-dev:arm64 zlib1g-dev:arm64 zlib1g:arm64 \
  nlohmann-json3-dev
# What the first two are for: their names have versions in them, which differ between releases.
libraries=()
for package in libabsl-dev libhwy-dev; do
  while read -r library; do libraries+=("$library:arm64"); done < <(
    dpkg-deb --field "$package"_*.deb Depends | tr ',' '\n' | sed -nE 's/^ *(libabsl[0-9][a-z0-9]*|libhwy[0-9][a-z0-9]*).*/\1/p')
done
apt-get download -qq "${libraries[@]}"
for package in *.deb; do dpkg-deb -x "$package" "$scratch/unpacked"; done
touch "$scratch/unpacked/complete"
rm -rf "$target"
mkdir -p "$(dirname "$target")"
mv "$scratch/unpacked" "$target"
echo "fetch-arm64.sh: $(find "$scratch/packages" -name '*.deb' | wc -l) packages, in $target"
