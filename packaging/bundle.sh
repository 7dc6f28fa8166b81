#!/usr/bin/env bash
# Builds the bundle (bundle.py) in an environment of its own, .venv-bundle, which is kept.
#
#   BUNDLE_CUDA=0    PyTorch for the CPU alone (the default: 1.4 GB). 1: with its GPU libraries (some 5 GB more). On
#                    macOS there is one PyTorch, and it uses the GPU.
#   BUNDLE_TORCH     a requirement such as torch==2.13.0+cpu, to be found where pip looks anyway; without it the newest
#                    one is taken, for the CPU from PyTorch's own index
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export VENV=$PWD/.venv-bundle EXTRA=bundle REQUIRE=${BUNDLE_TORCH:-}
cuda=${BUNDLE_CUDA:-0}

if [[ $cuda == 1 ]]; then
    VENV+=-cuda
elif [[ $(uname) == Linux && ! $REQUIRE ]]; then
    export PIP_EXTRA_INDEX_URL="${PIP_EXTRA_INDEX_URL:-} https://download.pytorch.org/whl/cpu"
fi
packaging/setup.sh
python=$VENV/bin/python
if [[ $cuda == 0 ]] && ! "$python" -c 'import sys, torch; sys.exit(torch.version.cuda is not None)'; then
    echo "pip found no PyTorch for the CPU alone: name one with BUNDLE_TORCH=torch==2.13.0+cpu," \
        "or build with GPU libraries by BUNDLE_CUDA=1" >&2
    rm -rf "$VENV" # or pip would be content with what is there
    exit 1
fi
exec "$python" packaging/bundle.py
