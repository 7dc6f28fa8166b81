#!/usr/bin/env bash
# Prints the path of the interpreter to build on: $PYTHON, or the first of the names below that is 3.11 or newer.
set -euo pipefail

for candidate in ${PYTHON:-python3.12 python3.11 python3}; do
    if "$candidate" -c 'import sys; sys.version_info >= (3, 11) or sys.exit(1); print(sys.executable)' 2>/dev/null; then
        exit
    fi
done
echo "MER Studio needs Python 3.11 or newer, and found none as ${PYTHON:-python3.12, python3.11 or python3}:" \
    "install it, or name it with PYTHON=/path/to/python3.12" >&2
exit 1
