#!/usr/bin/env bash
# Prints the list of what is in an image (CycloneDX, JSON): the Debian packages, with their versions and licences, that its files
# are from. The image carries it in /usr/share/hellocnn/sbom.cdx.json; their licences in full are in its /usr/share/doc.
#
#   scripts/print-sbom.sh [IMAGE]     hellocnn-server unless given
set -euo pipefail
case ${1:-} in
  -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
  -*) echo "print-sbom.sh: unknown argument '$1'" >&2; exit 2 ;;
esac

container=$(docker create "${1:-hellocnn-server}")
trap 'docker rm "$container" >/dev/null' EXIT
docker cp "$container:/usr/share/hellocnn/sbom.cdx.json" - | tar -xO
