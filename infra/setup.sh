#!/usr/bin/env bash
# Makes the virtual environment, or adds packages to it, from a hashed lock file: setup.sh PYTHON VENV LOCK.
# Needs Python 3.11 or newer. As root on Debian it installs python3-venv if that is missing.
# Packages are installed by uv. pip takes five times as long, because it handles one package after the other.
set -euo pipefail
python=$1 venv=$2 lock=$3
rooms=(*/py.typed)
notice_s=10

say() { printf '%s\n' "$*" >&2; }

# Run a command and print every few seconds that it still runs: step WHAT COMMAND...
step() {
    local what=$1 status=0
    shift
    say "$what"
    while sleep "$notice_s" &>/dev/null; do say "  ... for ${SECONDS} s so far"; done &
    local ticker=$!
    "$@" >&2 || status=$?
    kill "$ticker"
    wait "$ticker" 2>/dev/null || true
    return "$status"
}
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

if ! command -v "$python" >/dev/null; then
    say "$python is not installed; install Python 3.11 or newer (Debian: apt-get install python3 python3-venv)"
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    say "$("$python" --version) is too old; minitwitter needs Python 3.11 or newer"
    exit 1
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        step "Looking for python3-venv in Debian's list of packages" apt-get update -qq
        step "Installing python3-venv" apt-get install -y -qq python3-venv
    else
        say "Python has no venv module; install it (Debian: apt-get install python3-venv) and run this again"
        exit 1
    fi
fi

[ -x "$venv/bin/python" ] || "$python" -m venv --without-pip "$venv"
if [ ! -x "$venv/bin/uv" ]; then
    # pip is run from the wheel that Python contains. Unpacking it into the environment takes longer than fetching uv.
    pip=$("$python" -c '
import ensurepip, pathlib, sysconfig
places = sysconfig.get_config_var("WHEEL_PKG_DIR"), pathlib.Path(ensurepip.__file__).parent / "_bundled"
print(next(wheel for place in places if place for wheel in pathlib.Path(place).glob("pip-*.whl")))
')
    step "Fetching uv, which installs the packages" "$venv/bin/python" "$pip/pip" install --quiet --no-compile \
        --no-cache-dir --disable-pip-version-check --require-hashes --requirement infra/installer.lock
fi

# uv does not read pip's configuration. Pass on the package index, which may be a mirror.
index=${PIP_INDEX_URL:-$(sed -n 's/^ *index-url *= *//p' /etc/pip.conf ~/.pip/pip.conf ~/.config/pip/pip.conf \
    2>/dev/null | tail -n 1 || true)}
if [ -n "$index" ]; then export UV_DEFAULT_INDEX=$index; fi
export UV_SYSTEM_CERTS=true

install() { "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" "$@"; }

step "Installing the $(grep -c == "$lock") packages of $lock into $venv" install --require-hashes --requirement "$lock"
step "Installing minitwitter itself" install --no-deps --no-build-isolation --editable .
# Compiled here, each process starts a second sooner, also with PYTHONDONTWRITEBYTECODE. Build tools and the lexers of
# Pygments are left out: they are a third of the work. Errors are ignored, because some packages contain files for
# other versions of Python, which nothing imports.
compile() {
    "$venv/bin/python" -m compileall -qq -j 0 -x '/(pip|setuptools|uv|pygments/lexers|pygments/styles)/' "$venv/lib" || true
    "$venv/bin/python" -m compileall -q -j 0 "${rooms[@]%/py.typed}"
}
step "Compiling to bytecode" compile
say "$venv is ready after $SECONDS s"
