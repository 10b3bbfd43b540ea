#!/bin/sh
# Checks that every manual page renders without a warning and contains what it must. Usage: man_pages_test.sh FOLDER
set -eu
folder=$1
command -v mandoc >/dev/null || { echo "not checked: there is no mandoc"; exit 77; }
pages=0
for page in "$folder"/*.1; do
  pages=$((pages + 1))
  mandoc -T lint -W warning "$page"
  grep -q '^\.SH OPTIONS' "$page" || { echo "$page has no OPTIONS"; exit 1; }
  # groff also warns about broken roff.
  warnings=$(LC_ALL=C.UTF-8 groff -man -Tutf8 -ww "$page" 2>&1 >/dev/null)
  [ -z "$warnings" ] || { echo "$page: $warnings"; exit 1; }
done
[ "$pages" -ge 9 ] || { echo "only $pages pages in $folder"; exit 1; }
# mentions PAGE WORD...: checks that PAGE contains each WORD.
mentions() {
  page=$1
  shift
  text=$(mandoc -T utf8 "$folder/$page.1" | col -b)
  for word in "$@"; do
    case $text in *"$word"*) ;; *) echo "$page(1) does not mention $word"; exit 1 ;; esac
  done
}
mentions hellocnn-load --concurrency --rate --until-steady --server-metrics EXAMPLES
if [ -e "$folder/hellocnn-server.1" ]; then
  mentions hellocnn-server --listen=ADDRESS HELLOCNN_LISTEN '1 to 1024' --config=FILE EXAMPLES
fi
