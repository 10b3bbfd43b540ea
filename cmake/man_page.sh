#!/bin/sh
# Makes a manual page of what a program says of itself.
# Usage: man_page.sh HELP2MAN PROGRAM PAGE VERSION NAME OUT [SUBCOMMAND...]
set -eu
help2man=$1 program=$2 page=$3 version=$4 name=$5 out=$6
shift 6
date=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%d)
"$help2man" --no-info --section=1 --manual="HelloCNN Serving" --source="HelloCNN Serving $version" \
  --version-string="$page $version" --name="$name" --output="$out" "$program${*:+ $*}"
# A date that mandoc knows, and examples a line each.
sed -i -e "2s/^\(\.TH [^ ]* \"1\"\) \"[^\"]*\"/\1 \"$date\"/" \
  -e '/^\.SH EXAMPLES/,$ s/^\.IP$/.IP\n.nf/' -e '$a .fi' "$out"
