#!/usr/bin/env bash
# Fetches what others have to say about the Kubernetes manifests, for tests/deploy/kubernetes_checks_test.py.
#
#   scripts/fetch-deploy-checks.sh     fills ~/.cache/hellocnn/deploy, or HELLOCNN_DEPLOY_TOOLS
#   scripts/fetch-deploy-checks.sh crds     the same, with these only
#
#   what         from                needs
#   crds         Go's module proxy   go, unzip; the definitions of KServe and of the Gateway API
#   kube-score   Go's module proxy   go
#   checkov      PyPI                python3-venv
#
# Leaves alone what is there. What cannot be had is named, and its tests are skipped. Exit status 0 if all is there.
set -uo pipefail

things=(crds kube-score checkov)
case ${1:-} in
  -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
for name in "$@"; do
  if [[ " ${things[*]} " != *" $name "* ]]; then
    echo "fetch-deploy-checks.sh: unknown argument '$name'; wanted nothing, --help, or some of ${things[*]}" >&2
    exit 2
  fi
done
if (($# > 0)); then things=("$@"); fi

gateway_api=v1.6.3
kserve=v0.16.0
kube_score=v1.20.0
checkov=3.3.30

root=${HELLOCNN_DEPLOY_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/hellocnn/deploy}
mkdir -p "$root/bin" || exit 1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
missing=()

# fetch NAME FILE: calls fetch_NAME, which leaves FILE, unless that is there.
fetch() {
  [[ -e $root/$2 ]] && return
  echo "fetch-deploy-checks.sh: fetching $1"
  "fetch_${1//-/_}" >"$scratch/log" 2>&1 && [[ -e $root/$2 ]] && return
  tail -n 5 "$scratch/log" >&2
  missing+=("$1")
}

# definitions NAME MODULE VERSION FOLDER: unpacks the module's definitions, whatever version of Go the module itself wants.
definitions() {
  local zip
  zip=$(cd "$scratch" && go mod download -json "$2@$3" | sed -nE 's/^\s*"Zip": "(.*)",$/\1/p')
  [[ -r $zip ]] && mkdir -p "$scratch/crds/$1" && unzip -q -j -o "$zip" "$2@$3/$4/*.yaml" -d "$scratch/crds/$1"
}

fetch_crds() {
  definitions gateway-api sigs.k8s.io/gateway-api "$gateway_api" config/crd/standard &&
    definitions kserve github.com/kserve/kserve "$kserve" config/crd/full && mv "$scratch/crds" "$root/crds"
}

fetch_kube_score() { GOBIN=$root/bin GOFLAGS=-buildvcs=false go install "github.com/zegl/kube-score/cmd/kube-score@$kube_score"; }

fetch_checkov() {
  python3 -m venv --clear "$root/checkov" && "$root/checkov/bin/pip" install -q "checkov==$checkov" &&
    ln -sf "$root/checkov/bin/checkov" "$root/bin/checkov"
}

for name in "${things[@]}"; do
  case $name in
    crds) fetch crds crds ;;
    *) fetch "$name" "bin/$name" ;;
  esac
done

if ((${#missing[@]} > 0)); then
  echo "fetch-deploy-checks.sh: not there: ${missing[*]}; their tests are skipped" >&2
  exit 1
fi
echo "fetch-deploy-checks.sh: all is there, in $root"
