# Shared by tools/up, tools/down and tools/story: where things are, and how they are told.
# shellcheck shell=bash disable=SC2034
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD:-build}
case $build in /*) ;; *) build=$root/$build ;; esac
state=${KEYWRIGHT_STATE:-$root/state}
server=$state/server
export KEYWRIGHT_ADMIN=$server/admin

keywright=$build/src/cmd/keywright/keywright
keywrightd=$build/src/cmd/keywrightd/keywrightd
agent=$build/src/cmd/keywright-agent/keywright-agent

if [ -t 1 ]; then bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' green='' red='' dim='' plain=''; fi

say() { printf '%s\n' "$*"; }
die() { printf '%s%s%s\n' "$red" "$*" "$plain" >&2; exit 1; }

# The URL of a listener, from the running server's own words: endpoint devices|operators|relying.
endpoint() { awk -v name="$1" '$1 == name { print $2 }' "$server/run/endpoints"; }

running() { [ -f "$server/run/keywrightd.pid" ] && kill -0 "$(cat "$server/run/keywrightd.pid")" 2>/dev/null; }

# The ports begin at 8443 (devices), 9443, 8080 and 8883, or where KEYWRIGHT_FIRST_PORT says.
first_port() { # usual, how many beyond the first
    if [ -n "${KEYWRIGHT_FIRST_PORT:-}" ]; then free_port $((KEYWRIGHT_FIRST_PORT + $2)); else free_port "$1"; fi
}

# A TCP port nobody listens on, from $1 upwards.
free_port() {
    local port=$1
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    echo "$port"
}
