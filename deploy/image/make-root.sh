#!/usr/bin/env bash
# Makes the root file system of an image that runs the given programs and nothing else. For the Dockerfile, on Debian.
#
#   make-root.sh ROOT PROGRAM… [MODULE.so…]
#
# ROOT gets the programs in /usr/bin, modules that they load when they want them in /usr/lib/hellocnn, each library that these
# load and no other, a user without rights, the licences of what it was taken from, and /usr/share/hellocnn/sbom.cdx.json, the
# list of it: CycloneDX, every Debian package that a file is from.
set -euo pipefail
[[ $# -ge 2 ]] || { sed -n '4p' "$0" >&2; exit 2; }
root=$1
shift
programs=("$@")

# Used through their headers alone, so no file in ROOT tells of them.
header_only=(libcli11-dev nlohmann-json3-dev)

mkdir -p "$root"/{etc,tmp,usr/bin,usr/share/hellocnn}
chmod 1777 "$root/tmp"
# /lib and the like point into /usr, and the programs name their loader by such a path.
for link in /lib*; do
  [[ -L $link ]] || continue
  cp -P "$link" "$root/"
  mkdir -p "$root/$(readlink "$link")"
done

for program in "${programs[@]}"; do
  if [[ $program == *.so ]]; then place=lib/hellocnn; else place=bin; fi
  install -D -t "$root/usr/$place" "$program"
done

loaded=$(ldd "${programs[@]}")
if grep 'not found' <<<"$loaded"; then exit 1; fi
# "	libm.so.6 => /lib/…/libm.so.6 (0x…)", or "	/lib64/ld-linux-x86-64.so.2 (0x…)"
mapfile -t libraries < <(sed -nE 's/^\t(.* => )?(\/[^ ]+) \(0x.*/\2/p' <<<"$loaded" | sort -u)
# Some names are links, through /etc/alternatives even. The file goes where its name is.
for library in "${libraries[@]}"; do cp -L --parents "$library" "$root/"; done

# owner FILE: the package that FILE is from. Some packages still say /lib for what is in /usr/lib.
owner() {
  { dpkg-query --search "$1" 2>/dev/null || dpkg-query --search "${1#/usr}"; } |
    awk -F '[:,]' '!/^diversion/ && !found++ {print $1}'
}
packages=("${header_only[@]}")
for library in "${libraries[@]}"; do packages+=("$(owner "$(readlink -f "$library")")"); done
mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)

echo 'hellocnn:x:65532:65532:HelloCNN:/:/nonexistent' >"$root/etc/passwd"
echo 'hellocnn:x:65532:' >"$root/etc/group"

# licences PACKAGE: the names in its copyright file, as JSON; nothing if it has none that a machine can read.
licences() {
  sed -nE 's/^License: *([A-Za-z0-9][A-Za-z0-9.+,/() -]*)$/\1/p' "/usr/share/doc/$1/copyright" | sed 's/ *$//' | sort -u |
    sed 's/.*/{"license": {"name": "&"}}/' | paste -sd, | sed 's/,{/, {/g'
}

# component PACKAGE: one entry of the list. Names and versions of Debian need no quoting in JSON, "+" and ":" do in an address.
component() {
  local version source source_version architecture
  read -r version source source_version architecture < <(
    dpkg-query --show --showformat='${Version} ${source:Package} ${source:Version} ${Architecture}\n' "$1")
  local purl_version=${version//+/%2B}
  printf '    {"type": "library", "name": "%s", "version": "%s",\n' "$1" "$version"
  printf '     "purl": "pkg:deb/debian/%s@%s?arch=%s&distro=%s",\n' "$1" "${purl_version//:/%3A}" "$architecture" "$VERSION_CODENAME"
  printf '     "licenses": [%s],\n' "$(licences "$1")"
  printf '     "properties": [{"name": "debian:source", "value": "%s"}, {"name": "debian:source-version", "value": "%s"}]}' \
    "$source" "$source_version"
}

. /etc/os-release
{
  printf '{\n  "bomFormat": "CycloneDX",\n  "specVersion": "1.5",\n  "version": 1,\n'
  printf '  "metadata": {\n    "timestamp": "%s",\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  printf '    "component": {"type": "application", "name": "hellocnn", "version": "%s"}\n  },\n' \
    "$("${programs[0]}" --version | sed 's/.* //')"
  printf '  "components": [\n'
  separator=
  for package in "${packages[@]}"; do
    printf '%s' "$separator"
    component "$package"
    separator=$',\n'
    install -D -m 644 "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/copyright"
  done
  printf '\n  ]\n}\n'
} >"$root/usr/share/hellocnn/sbom.cdx.json"

echo "make-root.sh: ${#libraries[@]} libraries of ${#packages[@]} packages, $(du -sm "$root" | cut -f1) MB"
