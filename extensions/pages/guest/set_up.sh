#!/bin/sh
# Adds a browser to an environment: Chromium of the distribution, and in FOLDER what drives it:
#     set_up.sh FOLDER [MODULES]      runs in the repository, with the project's virtual environment in VIRTUAL_ENV, if any
#
# FOLDER/package      playwright-core, unless the repository's node_modules has it
# FOLDER/node         Node, if that of the image is too old for it
# FOLDER/chromium     starts Chromium
# FOLDER/installed    PLAYWRIGHT_BROWSERS_PATH, in which each installed version of Playwright finds Chromium
# MODULES/playwright  the same playwright-core for tests of a project without its own: Node looks in /node_modules last
#
# The last line of the output names the versions, or says why there is no browser.
set -u
folder=$1 modules=${2:-} oldest=20 node_release=22
for_node_18=1.61 # the last release of playwright-core that runs with it

fail() { echo "$*"; exit 1; }
release_of() { "$1" -p 'parseInt(process.versions.node)' 2>/dev/null || echo 0; }
is_new() { [ "$(release_of "$1")" -ge "$oldest" ]; }
find_chromium() {
    for each in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$each" && return
    done
    return 1
}
apt() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q && apt-get install -qy --no-install-recommends "$@" && apt-get clean
}

install_chromium() {
    [ "$(id -u)" = 0 ] || fail "This machine has no Chromium."
    if command -v apk >/dev/null; then
        apk add chromium font-dejavu || fail "apk cannot install Chromium."
    elif grep -qx 'ID=ubuntu' /etc/os-release; then
        fail "Ubuntu has Chromium only as a snap, which does not run in a container."
    elif command -v apt-get >/dev/null; then
        apt chromium-headless-shell fonts-dejavu-core libatomic1 || apt chromium fonts-dejavu-core libatomic1 ||
            fail "apt-get cannot install Chromium."
    else
        fail "The image has no Chromium, and neither apt-get nor apk."
    fi
}

# Nothing that the project has installed is replaced by another version.
add_to_venv() {
    python -c 'import playwright' 2>/dev/null && return
    python -m pip freeze --exclude-editable 2>/dev/null | grep -F == >"$folder/constraints.txt"
    python -m pip install -q -c "$folder/constraints.txt" playwright && return
    echo "Playwright does not go together with the project's packages."
}

use_driver() {  # of Playwright's Python package
    [ -e "$1/package/package.json" ] || return 1
    ln -sfn "${1#"$folder/"}/package" "$folder/package"
    ln -sfn "${1#"$folder/"}/node" "$folder/node"
    if ! is_new "$folder/node" && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt libatomic1; fi
    is_new "$folder/node"
}

use_npm() {
    command -v npm >/dev/null || return 1
    newer= core=playwright-core
    case $(release_of node) in 18 | 19) core=$core@$for_node_18 ;; esac
    is_new node || newer=node-linux-$(uname -m | sed 's/x86_64/x64/;s/aarch64/arm64/')
    rm -rf "$folder/node" "$folder/package"
    (cd "$folder" && npm install --no-audit --no-fund --ignore-scripts --prefix "$folder" "$core" \
        ${newer:+"$newer@$node_release"}) || return 1
    ln -sfn node_modules/playwright-core "$folder/package"
    [ -z "$newer" ] || ln -sfn "node_modules/$newer/bin/node" "$folder/node"
    is_new node || is_new "$folder/node"
}

use_pip() {
    python3 -m pip --version >/dev/null 2>&1 || { [ "$(id -u)" = 0 ] && apt python3-pip; } || return 1
    python3 -m pip install -q --no-deps --only-binary :all: --python-version 3.13 --upgrade --target "$folder/python" \
        playwright || return 1
    use_driver "$folder/python/playwright/driver"
}

has_driver() {
    is_new node || is_new "$folder/node" || return 1
    [ -e node_modules/playwright-core/package.json ] || [ -e "$folder/package/package.json" ]
}

install_driver() {
    if [ "${VIRTUAL_ENV:-}" ]; then
        add_to_venv
        own=$(python -c 'import os, playwright; print(os.path.dirname(playwright.__file__))' 2>/dev/null)
        use_driver "$own/driver" && return
    fi
    has_driver || use_npm || use_pip || fail "Playwright cannot be installed from npm's or Python's registry."
}

link_modules() {
    [ "$modules" ] && [ -e "$folder/package/package.json" ] && mkdir -p "$modules" || return 0
    for each in playwright playwright-core; do
        [ -e "$modules/$each" ] || ln -sfn "$folder/package" "$modules/$each"
    done
}

link_browsers() {
    installed=$folder/installed
    mkdir -p "$installed"
    for each in /ms-playwright/*; do  # the browsers of Playwright's own image
        [ ! -e "$each" ] || ln -sfn "$each" "$installed/"
    done
    cat >"$folder/chromium" <<END
#!/bin/sh
# Older versions of Playwright ask for a headless mode that Chromium no longer has.
for each; do
    shift
    [ "\$each" != --headless=old ] || each=--headless
    set -- "\$@" "\$each"
done
exec "$chromium" --disable-dev-shm-usage "\$@"
END
    chmod 755 "$folder/chromium"
    find . "${VIRTUAL_ENV:-.}/" "$folder/" -name browsers.json -size -100k \
        \( -path '*/playwright-core/*' -o -path '*/driver/package/*' -o -path "$folder/package/*" \) \
        -exec cat {} + 2>/dev/null | tr -d ' \t\r\n' |
        grep -oE '"name":"chromium(-headless-shell)?","revision":"[0-9]{1,9}"' | sort -u | head -n 40 | tr -d '"' |
        while IFS=:, read -r _ name _ revision; do
            [ -e "$installed/$(echo "$name" | tr - _)-$revision" ] || link_browser "$name" "$revision"
        done
}

# Where the browser lies depends on the version of Playwright, so it is put into each of the places.
link_browser() {
    there=$installed/$(echo "$1" | tr - _)-$2
    case $1 in
        chromium) places="chrome-linux/chrome chrome-linux64/chrome chrome-linux-arm64/chrome" ;;
        *)
            places="chrome-linux/headless_shell chrome-headless-shell-linux64/chrome-headless-shell"
            places="$places chrome-headless-shell-linux-arm64/chrome-headless-shell"
            ;;
    esac
    for place in $places; do
        mkdir -p "$there/${place%/*}"
        cp "$folder/chromium" "$there/$place"
    done
    touch "$there/INSTALLATION_COMPLETE" "$there/DEPENDENCIES_VALIDATED"
}

mkdir -p "$folder"
chromium=$(find_chromium) || { install_chromium && chromium=$(find_chromium); } || fail "Chromium cannot be installed."
version=$("$chromium" --version 2>/dev/null) || fail "$chromium does not start."
install_driver
link_modules
link_browsers
package=node_modules/playwright-core/package.json
[ -e "$package" ] || package=$folder/package/package.json
playwright=$(sed -n 's/^ *"version": *"\([0-9][0-9.]*\).*/\1/p' "$package" | head -n 1)
echo "$(echo "$version" | sed 's/ built on.*//;s/ *$//'), Playwright $playwright"
