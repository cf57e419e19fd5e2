#!/bin/sh
# Starts a project's server, waits until it answers, runs a command with its address, and ends the server with all its
# processes. The command's exit code is kept; it is 126 if the server does not answer. Each start has its own copy.
# With a sixth argument, `optional`, the command runs in any case.
# Arguments: seconds to wait, other ports than $PORT (or ""), folder of the server, its command, the command to run.
here=$(cd "${0%/*}" && pwd)
seconds=$1 ports=$2 folder=$3 server=$4 command=$5 need=$6
log=$here/server.log
mark=$$-$(date +%s)
mkfifo "$here/stdin" # a stdin that never ends: several servers end with it

run() {
    "$(command -v bash || command -v sh)" -c "$command"
}

if command -v python3 >/dev/null 2>&1; then
    probe() { python3 -I "$here/server_probe.py" "$@"; }
elif command -v node >/dev/null 2>&1; then
    probe() { NODE_OPTIONS= node "$here/server_probe.cjs" "$@"; }
else
    probe() { return 1; }
fi

keep() { # in two files, the last part of the output: at least a thousand writes of it
    while dd bs=4096 count=1000 >"$log" 2>/dev/null && [ -s "$log" ]; do mv "$log" "$log.old"; done
    : >"$log.end"
}

stop() { # also processes that left the group of the server
    for round in 1 2 3 4 5; do
        found=$(grep -lzsF "SWE_AGENT_SERVER=$mark" /proc/[0-9]*/environ)
        [ -n "$found" ] || return 0
        for each in $found; do
            each=${each#/proc/}
            kill -KILL "${each%/environ}" 2>/dev/null
        done
    done
}

free=$(probe free)
port=${free%% *}
trap stop EXIT
trap 'exit 143' HUP INT TERM
(
    unset NODE_OPTIONS PYTEST_PLUGINS SWE_AGENT_RUN
    export SWE_AGENT_SERVER="$mark" SWE_AGENT_GUEST="$here" PORT="$port" HOST=127.0.0.1 BROWSER=none NO_COLOR=1
    export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
    PATH=$PWD/node_modules/.bin:$PWD/.venv/bin:$PWD/venv/bin:$PATH
    cd "$folder" || exit
    PATH=$PWD/node_modules/.bin:$PWD/.venv/bin:$PWD/venv/bin:$PATH
    exec sh -c "$server" <>"$here/stdin"
) 2>&1 | keep &

if ! BASE_URL=$(probe wait "$seconds" "$log" "$port" "${free#* }" $ports); then
    why="it did not answer in $seconds seconds"
    [ ! -e "$log.end" ] || why="it ended"
    [ -n "$free" ] || why="no port is free, or there is no python3 or node to ask it"
    echo "%NOT_STARTED%: $why. Its last output:" >&2
    cat "$log.old" "$log" 2>/dev/null | tail -c 4000 >&2
    [ -n "$need" ] || exit 126
    stop
    run
    exit
fi
export BASE_URL PLAYWRIGHT_TEST_BASE_URL="$BASE_URL" PYTEST_BASE_URL="$BASE_URL"
run
