#!/bin/sh
# Makes .venv from a lock: sh deploy/environment.sh PYTHON LOCK
# Done once, and anew only when the lock has changed. requirements-test.lock holds all that requirements.lock does, at
# the same versions, so that both share one .venv: the second is laid on top of the first.
set -eu
cd "$(dirname "$0")/.."
python=$1 lock=$2

if [ -z "$python" ] || ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "Vigil needs Python 3.11 or newer${python:+, and '$python' is not}. Name one: make PYTHON=/path/to/python3.11" >&2
    exit 1
fi

# The folder belongs to the stamp, since a .venv holds absolute paths and does not survive a move.
stamp() { "$python" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"; pwd; }
made() { [ -f ".venv/made-from-$1" ] && [ "$(stamp "$1")" = "$(cat ".venv/made-from-$1")" ]; }
changed() { [ -f ".venv/made-from-$1" ] && ! made "$1"; }

if changed requirements.lock || changed requirements-test.lock; then
    rm -rf .venv
fi
if made "$lock" && made pyproject.toml; then
    exit 0
fi

if [ ! -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "$python cannot make a virtual environment. On Debian: apt-get install -y python$version-venv" >&2
        exit 1
    fi
    rm -rf .venv
    "$python" -m venv .venv
fi

install() { .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --progress-bar off "$@"; }
if ! made "$lock"; then
    echo "environment: installing $(grep -c '==' "$lock") packages of $lock into .venv; this takes a minute or two, once" >&2
    install --require-hashes -r "$lock"
    stamp "$lock" >".venv/made-from-$lock"
fi
install --no-deps --no-build-isolation -e .
stamp pyproject.toml >.venv/made-from-pyproject.toml
