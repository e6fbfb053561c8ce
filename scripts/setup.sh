#!/usr/bin/env bash
# Installs what Earshot needs and starts nothing. The second time it looks, finds all there, and says nothing.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHONS=(python3 python3.12 python3.11 python3.13)
UV_WANTED='uv>=0.9,<1'
PYTHON_WANTED='>=3.11,<3.14'

say() { printf '%s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }

# --- what is there ----------------------------------------------------------------------------------------------

have_rabbitmq() {
    [ -n "${RABBITMQ_URL:-}" ] && return 0
    local place
    for place in /usr/lib/rabbitmq/bin /usr/lib64/rabbitmq/bin /opt/homebrew/opt/rabbitmq/sbin \
        /usr/local/opt/rabbitmq/sbin /home/linuxbrew/.linuxbrew/opt/rabbitmq/sbin; do
        [ -x "$place/rabbitmq-server" ] && return 0
    done
    have rabbitmq-server
}

have_ffmpeg() { have ffmpeg && have ffprobe; }

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1; }

fitting_python() {
    local name
    for name in "${PYTHONS[@]}"; do
        if have "$name" && fits "$name"; then command -v "$name"; return 0; fi
    done
    return 1
}

uv_path() {
    if have uv; then command -v uv; elif [ -x .venv-tools/bin/uv ]; then printf '%s\n' "$PWD/.venv-tools/bin/uv"; else return 1; fi
}

can_make_venvs() { python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }

# --- the system's packages --------------------------------------------------------------------------------------

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif [ -t 0 ]; then sudo "$@"
    else sudo -n "$@"; fi
}

may_be_root() { [ "$(id -u)" = 0 ] || have sudo; }

# Called once for everything that is lacking.
install_packages() {
    if have apt-get && may_be_root; then apt_install "$@"
    elif have brew; then brew_install "$@"
    fi
}

apt_install() {
    local megabytes
    megabytes=$(apt-get install --print-uris -qq -y --no-install-recommends "$@" 2>/dev/null |
        awk '{ bytes += $3 } END { printf "%d", bytes / 1000000 + 1 }') || megabytes='some'
    say "Installing with apt-get: $* (downloads about $megabytes MB) …"
    local broker_before=no mapper_before=no
    ! rabbitmq_service_exists || broker_before=yes
    ! have epmd || mapper_before=yes
    # Old lists name files that are no longer there: they are fetched anew before it is tried once more.
    apt_get_install "$@" || { update_lists && apt_get_install "$@"; } ||
        say "apt-get reported a problem; its last words: $(tail -n 3 "$LOG" | tr '\n' ' ')"
    [ "$broker_before" = yes ] || stop_packaged_rabbitmq
    [ "$mapper_before" = yes ] || stop_packaged_mapper
}

apt_get_install() {
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get install -qq -y --no-install-recommends "$@" >"$LOG" 2>&1
}

rabbitmq_service_exists() { dpkg -s rabbitmq-server >/dev/null 2>&1; }

# The package starts a broker of its own; Earshot runs a private one. Only ever called when the package is new here.
stop_packaged_rabbitmq() {
    rabbitmq_service_exists || return 0
    if [ -d /run/systemd/system ] && systemctl is-active --quiet rabbitmq-server; then
        as_root systemctl disable --now --quiet rabbitmq-server >/dev/null 2>&1 || true
        say "Stopped the broker that the package started (systemctl enable --now rabbitmq-server brings it back)."
    elif [ ! -d /run/systemd/system ] && [ -x /etc/init.d/rabbitmq-server ] &&
        as_root /etc/init.d/rabbitmq-server status >/dev/null 2>&1; then
        as_root /etc/init.d/rabbitmq-server stop >/dev/null 2>&1 || true
        say "Stopped the broker that the package started."
    fi
}

# Erlang's port mapper came along with that broker; it refuses to go while anybody uses it.
stop_packaged_mapper() {
    have epmd || return 0
    if [ -d /run/systemd/system ]; then
        as_root systemctl disable --now --quiet epmd.socket epmd.service >/dev/null 2>&1 || true
    fi
    as_root epmd -kill >/dev/null 2>&1 || true
}

brew_install() {
    local names=() name
    for name in "$@"; do
        case $name in
            rabbitmq-server) names+=(rabbitmq) ;;
            python3.1*) names+=("python@${name#python}") ;;
            *-venv) ;;
            *) names+=("$name") ;;
        esac
    done
    [ ${#names[@]} -gt 0 ] || return 0
    say "Installing with brew: ${names[*]} (downloads about 300 MB) …"
    brew install "${names[@]}" >"$LOG" 2>&1 || say "brew reported a problem; its last words: $(tail -n 3 "$LOG" | tr '\n' ' ')"
}

# A fresh container has no lists of packages, and then neither names nor sizes to tell.
fetch_lists() {
    have apt-get && may_be_root || return 0
    compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null || update_lists
}

update_lists() {
    say "Fetching the lists of packages (apt-get update) …"
    as_root apt-get update -qq >"$LOG" 2>&1 || true
}

all_there() {
    have_rabbitmq && have_ffmpeg && uv_path >/dev/null && { [ -x .venv/bin/python ] || fitting_python >/dev/null; }
}

lacking_packages() {
    have_rabbitmq || say rabbitmq-server
    have_ffmpeg || say ffmpeg
    uv_path >/dev/null || can_make_venvs || say python3-venv
    fitting_python >/dev/null || [ -x .venv/bin/python ] || fitting_package
}

# Older releases carry a newer Python beside their own.
fitting_package() {
    local name
    if have brew && ! have apt-get; then say python3.12; return 0; fi
    for name in python3.12 python3.11 python3.13; do
        if have apt-cache && apt-cache show "$name" >/dev/null 2>&1; then say "$name"; return 0; fi
    done
}

# --- Python -----------------------------------------------------------------------------------------------------

get_uv() {
    uv_path >/dev/null && return 0
    have python3 || return 0
    say "Installing uv into .venv-tools (downloads about 25 MB from pypi.org) …"
    { python3 -m venv .venv-tools && .venv-tools/bin/python -m pip install --quiet --disable-pip-version-check "$UV_WANTED" &&
        echo '*' >.venv-tools/.gitignore; } \
        >"$LOG" 2>&1 || { rm -rf .venv-tools; say "uv could not be installed: $(tail -n 2 "$LOG" | tr '\n' ' ')"; }
}

# What somebody has added to the default installation stays.
extras() {
    local extra
    for extra in whisperx sentence-transformers; do
        ! compgen -G ".venv/lib/python*/site-packages/${extra//-/_}" >/dev/null || printf -- '--extra %s ' "$extra"
    done
}

# Bars for whoever watches, silence for a log.
sync() {
    local uv=$1 quiet=()
    shift
    [ -t 2 ] || quiet=(--quiet)
    # shellcheck disable=SC2046 # each extra is two words
    "$uv" sync --locked --all-packages $(extras) ${quiet[@]+"${quiet[@]}"} "$@"
}

sync_packages() {
    local uv python
    uv=$(uv_path) || return 1
    if [ -x .venv/bin/python ] && fits .venv/bin/python; then
        # shellcheck disable=SC2046
        "$uv" sync --quiet --locked --all-packages $(extras) --check >/dev/null 2>&1 && return 0
        sync "$uv"
        return
    fi
    say "Installing the Python packages into .venv (downloads about 300 MB from pypi.org) …"
    if python=$(fitting_python); then
        sync "$uv" --python "$python"
    else
        say "No Python $PYTHON_WANTED is here, so uv fetches one first (about 30 MB from github.com) …"
        sync "$uv" --python 3.12
    fi
}

# --- what could not be had --------------------------------------------------------------------------------------

complain() {
    local failed=0
    if ! have_rabbitmq; then
        failed=1
        cat <<'WAYS'

RabbitMQ is missing and could not be installed here. Any one of these will do:
  package  sudo apt-get install rabbitmq-server      or  brew install rabbitmq
  Docker   docker run -d -p 5672:5672 rabbitmq:4     and export RABBITMQ_URL=amqp://guest:guest@127.0.0.1:5672/
  URL      export RABBITMQ_URL=amqp://…              of a broker that you have
WAYS
    fi
    if ! have_ffmpeg; then
        failed=1
        cat <<'WAYS'

ffmpeg is missing and could not be installed here. Any one of these will do:
  package  sudo apt-get install ffmpeg               or  brew install ffmpeg
  Docker   docker compose up                         runs all of Earshot in containers
WAYS
    fi
    if [ ! -x .venv/bin/python ] || [ "$synced" != yes ]; then
        failed=1
        cat <<'WAYS'

The Python packages could not be installed. What they need:
  Python   3.11, 3.12 or 3.13                        sudo apt-get install python3 python3-venv, or brew install python@3.12
  uv       pip install uv                            or https://docs.astral.sh/uv/
  network  pypi.org and files.pythonhosted.org       or a mirror: export UV_DEFAULT_INDEX=https://…
  Docker   docker compose up                         runs all of Earshot in containers
WAYS
    fi
    return $failed
}

main() {
    LOG=$(mktemp "${TMPDIR:-/tmp}/earshot-setup.XXXXXX")
    trap 'rm -f "$LOG"' EXIT
    local lacking=() name
    all_there || fetch_lists
    while read -r name; do lacking+=("$name"); done < <(lacking_packages)
    [ ${#lacking[@]} -eq 0 ] || install_packages "${lacking[@]}"
    get_uv
    synced=no
    if sync_packages; then synced=yes; fi
    complain
}

main "$@"
