#!/usr/bin/env bash
# Fetches promtool, which checks metrics, rules and configurations of Prometheus, from Debian's package "prometheus".
#
#   scripts/fetch-promtool.sh     leaves build/tools/promtool
#
# The package itself is not installed: it would start a Prometheus on machines with systemd. Does nothing when
# build/tools/promtool runs already. Needs no root, only package lists (apt-get update).
set -euo pipefail

case ${1:-} in
  '') ;;
  -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "fetch-promtool.sh: unknown argument '$1'; --help is known" >&2; exit 2 ;;
esac
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=$root/build/tools/promtool

works() { [[ -x $1 ]] && "$1" --version >/dev/null 2>&1; }

if works "$target"; then
  echo "fetch-promtool.sh: $target is there already"
  exit 0
fi
for tool in apt-get dpkg-deb; do
  if ! command -v "$tool" >/dev/null; then
    echo "fetch-promtool.sh: no $tool: this is not Debian. Put a promtool into $target or on PATH yourself" >&2
    exit 1
  fi
done

# A package of its own in Debian 13, a part of prometheus in Debian 12.
package=promtool
apt-cache show "$package" >/dev/null 2>&1 || package=prometheus

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# apt downloads as a user of its own, who must be able to write here.
chmod 755 "$scratch"
if ! (cd "$scratch" && apt-get download -qq -o APT::Sandbox::User="$(id -un)" "$package" >&2); then
  echo "fetch-promtool.sh: apt-get could not download the package $package; 'apt-get update' as root may help" >&2
  exit 1
fi
dpkg-deb -x "$scratch/$package"_*.deb "$scratch/unpacked"
if ! works "$scratch/unpacked/usr/bin/promtool"; then
  echo "fetch-promtool.sh: the package $package has no usr/bin/promtool that runs here" >&2
  exit 1
fi
mkdir -p "$(dirname "$target")"
# Copied beside it and renamed, so that who runs it meanwhile sees a whole one.
cp "$scratch/unpacked/usr/bin/promtool" "$target.new.$$"
mv "$target.new.$$" "$target"
echo "fetch-promtool.sh: $("$target" --version 2>&1 | head -n 1), in $target"
