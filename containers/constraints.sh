#!/usr/bin/env bash
# Write containers/images/constraints.txt: the versions of the libraries out here, so
# that images hold the same ones. Usage: constraints.sh [PYTHON]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${1:-}
if [ -z "$python" ]; then
    python=python
    if [ -x .venv/bin/python ]; then python=.venv/bin/python; fi
fi
target=containers/images/constraints.txt
mkdir -p containers/images
# PyTorch, its CUDA libraries and local builds (a + in the version) fit the machine
# outside only; editable installs have no version to ask for.
"$python" -m pip --disable-pip-version-check list --format=freeze --exclude-editable \
    --exclude cyto-kedro |
    grep -Ev '^(torch|torchvision|triton|nvidia-.*|pip|setuptools|wheel)==|\+' \
        >"$target.partial"
mv "$target.partial" "$target"
echo "$target: $(wc -l <"$target") versions of $("$python" -c 'import sys; print(sys.prefix)')"
