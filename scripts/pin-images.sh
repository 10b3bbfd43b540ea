#!/usr/bin/env bash
# Pins the images of others, in the Dockerfile and under deploy/, to what their tags mean today: NAME:TAG becomes
# NAME:TAG@sha256:…, and a digest that is there already becomes today's. The digest is that of the image for all platforms.
#
#   scripts/pin-images.sh           asks the registries, and writes the files
#   scripts/pin-images.sh --list    prints the images, pinned or not; asks nobody
#
# Needs docker with buildx, or skopeo. If one image cannot be resolved, nothing is written.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

digest='@sha256:[0-9a-f]{64}'
image="[a-z0-9][a-z0-9./-]*:[A-Za-z0-9_][A-Za-z0-9._-]*"
# What stands before an image: in a Dockerfile, and in YAML, where compose may have a variable for it.
before='^(FROM |[ -]*image: *["'\'']?(\$\{[A-Z_]+:-)?)'

mapfile -t files < <(grep -rlE "$before$image" Dockerfile deploy | sort)
images() { sed -nE "s#$before($image($digest)?).*#\3#p" "${files[@]}" | sort -u; }

# today IMAGE: the digest that its tag has now.
today() {
  if command -v docker >/dev/null; then
    docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$1"
  else
    skopeo inspect --format '{{.Digest}}' "docker://$1"
  fi
}

case ${1:-} in
  '') ;;
  --list) images; exit 0 ;;
  -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "pin-images.sh: unknown argument '$1'" >&2; exit 2 ;;
esac

edits=()
while read -r name; do
  found=$(today "$name") || { echo "pin-images.sh: $name cannot be resolved" >&2; exit 1; }
  [[ "@$found" =~ ^$digest$ ]] || { echo "pin-images.sh: $name has the digest '$found'; wanted sha256:…" >&2; exit 1; }
  edits+=(-e "s#$before${name//./\\.}($digest)?([^A-Za-z0-9._-]|\$)#\1$name@$found\4#")
  echo "$name@$found"
done < <(images | sed 's/@.*//' | sort -u)
((${#edits[@]} == 0)) || sed -E -i "${edits[@]}" "${files[@]}"
