#!/usr/bin/env bash
# Build Apptainer images of this checkout.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: bash containers/apptainer/build.sh [OPTIONS] [cpu|gpu|all]

Builds containers/images/cyto-cpu.sif (default) and/or cyto-gpu.sif (with Cellpose) from
this checkout, with the library versions of your Python environment, and checks that a
worker of this project runs inside.

Options:
  --python PATH      environment whose library versions go into the image
                     (default: .venv/bin/python, else python)
  --build-arg K=V    for the definition file, such as
                     TORCH_INDEX=https://download.pytorch.org/whl/cpu
  --force            replace images that are there
  -h, --help         this text

Needs Apptainer 1.2 or newer (or SingularityCE 4), a network, about 10 GB in $TMPDIR for
gpu and 4 GB for cpu. No root: Apptainer uses user namespaces; where the site has them
switched off, build on another machine and copy the .sif file.
TEXT
}

die() {
    echo "build.sh: $*" >&2
    exit 1
}

force='' python='' which=cpu stage=''
extra=()
trap '[ -z "$stage" ] || rm -f "$stage"' EXIT
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --force) force=yes ;;
        --python) python=${2:?--python needs a path}; shift ;;
        --build-arg) extra+=(--build-arg "${2:?--build-arg needs K=V}"); shift ;;
        cpu | gpu | all) which=$1 ;;
        *) usage >&2; die "unknown argument: $1" ;;
    esac
    shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
engine=$(command -v apptainer || command -v singularity) ||
    die "neither apptainer nor singularity is in PATH ('module load apptainer'?)"

build() {
    local image=containers/images/cyto-$1.sif need=$2
    [ -z "$force" ] && [ -e "$image" ] && die "$image is there: --force replaces it"
    local free
    free=$(df -Pk "${APPTAINER_TMPDIR:-${TMPDIR:-/tmp}}" | awk 'NR == 2 {print int($4 / 1048576)}')
    [ "$free" -ge "$need" ] ||
        die "$free GB free in ${APPTAINER_TMPDIR:-${TMPDIR:-/tmp}}, $need GB needed: set TMPDIR"
    # An image under its final name is always whole.
    stage=containers/images/.cyto-$1.$$.sif
    "$engine" build ${extra[@]+"${extra[@]}"} "$stage" "containers/apptainer/cyto-$1.def"
    "$engine" exec --cleanenv "$stage" python -m cyto_kedro.runners.versions >/dev/null ||
        die "a worker does not run in the image"
    mv "$stage" "$image"
    echo "$image: $(du -h "$image" | cut -f1)"
}

containers/constraints.sh ${python:+"$python"}
case $which in
    all) build cpu 4; build gpu 10 ;;
    cpu) build cpu 4 ;;
    gpu) build gpu 10 ;;
esac
