#!/usr/bin/env bash
# Sees to what pip cannot bring: the shared libraries that Qt (offscreen and xcb) and OpenCV load and, where $VENV has
# yet to be made, Python with venv. As root on Debian or Ubuntu the missing ones are installed; elsewhere they are named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing=()

loadable=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null) || exit 0 # macOS, and what else keeps no such list
while read -r library package; do
    [[ $loadable == *"$library "* ]] || missing+=("$package")
done <<'LIBRARIES'
libEGL.so.1 libegl1
libGL.so.1 libgl1
libX11-xcb.so.1 libx11-xcb1
libdbus-1.so.3 libdbus-1-3
libfontconfig.so.1 libfontconfig1
libgthread-2.0.so.0 libglib2.0-0
libxcb-cursor.so.0 libxcb-cursor0
libxcb-icccm.so.4 libxcb-icccm4
libxcb-keysyms.so.1 libxcb-keysyms1
libxcb-randr.so.0 libxcb-randr0
libxcb-shape.so.0 libxcb-shape0
libxcb-sync.so.1 libxcb-sync1
libxcb-xfixes.so.0 libxcb-xfixes0
libxkbcommon-x11.so.0 libxkbcommon-x11-0
LIBRARIES

if [[ ! -x ${VENV:-.venv}/bin/python ]]; then
    if ! python=$(packaging/find_python.sh 2>/dev/null); then
        missing+=(python3 python3-venv)
    elif ! "$python" -c 'import ensurepip' 2>/dev/null; then
        missing+=("python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv")
    fi
fi

[[ ${#missing[@]} -gt 0 ]] || exit 0

if [[ $EUID -eq 0 ]] && command -v apt-get >/dev/null; then
    echo "Installing system packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -qq --yes --no-install-recommends "${missing[@]}" >/dev/null && exit 0
    echo "apt-get failed." >&2
fi
echo "Some things may not run: this system lacks, in Debian's names, ${missing[*]}." \
    "Install them, on Debian or Ubuntu with: sudo apt-get install ${missing[*]}" >&2
