#!/usr/bin/env bash
# Makes the environment $VENV (default .venv) ready for this checkout: system libraries, interpreter, dependencies with
# those of the extra $EXTRA (default dev) and of $REQUIRE (one requirement; default none), and the checkout itself,
# installed editable. Whatever is in place already is left alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=${VENV:-.venv}
python=$venv/bin/python
extra=${EXTRA:-dev}

packaging/system_packages.sh

installed=$venv/.mer-installed # written last: what was installed from where
wanted=$(pwd -P && cat pyproject.toml && echo "${REQUIRE:-}")
if [[ -x $python && -f $installed && $(<"$installed") == "$wanted" ]]; then
    exit
fi

mkdir -p "$venv"
exec 9<"$venv"
if command -v flock >/dev/null; then flock 9; fi # two at once would install over each other

unfinished=$venv/.mer-unfinished # there while pip works: what it leaves when killed cannot be trusted
if [[ ! -x $python || ! -x $venv/bin/pip || -e $unfinished ]]; then
    base=$(packaging/find_python.sh)
    echo "Making the environment in $venv with $base"
    [[ -f $venv/pyvenv.cfg ]] && clear=--clear || clear= # never empty a folder that is no environment
    "$base" -m venv $clear "$venv"
fi

pip=("$python" -m pip --quiet --disable-pip-version-check --no-input)

requirements=$("$python" packaging/requirements.py "$extra" && echo "${REQUIRE:-}")
dependencies=$venv/.mer-dependencies
if [[ ! -f $dependencies || $(<"$dependencies") != "$requirements" ]]; then
    echo "Installing the dependencies into $venv (up to 5 GB with PyTorch's GPU libraries; some minutes)"
    touch "$unfinished"
    "${pip[@]}" install --progress-bar off --requirement <(printf '%s\n' "$requirements")
    printf '%s\n' "$requirements" >"$dependencies"
    rm "$unfinished"
fi

"${pip[@]}" install --no-deps --no-build-isolation --editable .
printf '%s\n' "$wanted" >"$installed"
