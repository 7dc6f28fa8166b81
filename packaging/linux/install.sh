#!/usr/bin/env bash
# Makes the bundle known to the desktop: the command `mer`, the entry in the menu, the icon, the type of projects.
# The bundle itself stays where it is.
#
#   ./install.sh [--prefix FOLDER]    default: ~/.local; for everyone: sudo ./install.sh --prefix /usr/local
#   ./install.sh --uninstall [--prefix FOLDER]
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd -P) # BUNDLE/linux
bundle=$(dirname "$here")

prefix=${HOME:-}/.local uninstall=
while [[ $# -gt 0 ]]; do
    case $1 in
    --prefix) prefix=${2:?--prefix needs a folder} && shift 2 ;;
    --uninstall) uninstall=1 && shift ;;
    *) echo "$1: unknown; see the first lines of $0" >&2 && exit 2 ;;
    esac
done
[[ -x $bundle/mer ]] || { echo "$bundle/mer is missing: run this from inside the bundle" >&2 && exit 2; }
if [[ $bundle == *[\"\`\$\\]* ]]; then
    echo "$bundle: menus cannot hold this path; use one without \" \` \$ \\" >&2
    exit 2
fi

share=$prefix/share
declare -A files=(
    [$share/applications/mer-studio.desktop]=$here/mer-studio.desktop
    [$share/metainfo/studio.mer.MERStudio.metainfo.xml]=$here/mer-studio.metainfo.xml
    [$share/mime/packages/mer-studio.xml]=$here/mer-studio.mime.xml
    [$share/icons/hicolor/scalable/apps/mer-studio.svg]=$here/icons/mer-studio.svg
)
for picture in "$here"/icons/[0-9]*.png; do
    size=$(basename "$picture" .png)
    files[$share/icons/hicolor/${size}x$size/apps/mer-studio.png]=$picture
done
types=$(sed -n 's/^MimeType=//p' "$here/mer-studio.desktop" | tr ';' ' ')

refresh() { # the desktop's own lists; where a tool is absent, so is the list
    update-desktop-database -q "$share/applications" 2>/dev/null || true
    update-mime-database "$share/mime" >/dev/null 2>&1 || true
    gtk-update-icon-cache -q -t -f "$share/icons/hicolor" 2>/dev/null || true
}

default_of() { xdg-mime query default "$1" 2>/dev/null || true; }

if [[ $uninstall ]]; then
    rm -f "${!files[@]}"
    [[ $(readlink -f "$prefix/bin/mer") != "$bundle/mer" ]] || rm -f "$prefix/bin/mer"
    refresh
    echo "MER Studio is no longer in $prefix; the bundle is still in $bundle"
    exit
fi

declare -A before
for type in $types; do before[$type]=$(default_of "$type"); done

for target in "${!files[@]}"; do
    install -D -m 644 "${files[$target]}" "$target"
done
entry=$(<"$here/mer-studio.desktop")
exec="Exec=\"${bundle//%/%%}/mer\" %f"
printf '%s\n' "${entry/"Exec=mer %f"/"$exec"}" >"$share/applications/mer-studio.desktop"
mkdir -p "$prefix/bin"
ln -sfn "$bundle/mer" "$prefix/bin/mer"
refresh

for type in $types; do # to be offered is enough: folders and videos open with what they opened with before
    if [[ ${before[$type]} && ${before[$type]} != "$(default_of "$type")" ]]; then
        xdg-mime default "${before[$type]}" "$type"
    fi
done
echo "MER Studio is in the menu, and as $prefix/bin/mer"
[[ :$PATH: == *":$prefix/bin:"* ]] || echo "$prefix/bin is not in your PATH: add it to use mer in a terminal"
