# shellcheck shell=bash
# What the walks share. A walk is what one person does with clockshim, one command after the other, and what they must find in the
# first three lines of each answer. Its output reads as that person's terminal. Sourced: walk COMMAND LIBRARY SLOWCLOCK.
set -euo pipefail
(($# == 3)) || { echo "usage: $0 COMMAND LIBRARY SLOWCLOCK" >&2; exit 2; }
PATH=$(cd "$(dirname "$1")" && pwd):$PATH
library=$(realpath "$2")
# shellcheck disable=SC2034 # for the operator
slowclock=$(realpath "$3")
temp=$(mktemp -d)
export CLOCKSHIM_LIBRARY=$library CLOCKSHIM_DIR=$temp/live LC_ALL=C.UTF-8
unset LD_PRELOAD CLOCKSHIM_REPORT

stop() {
  local pid
  for pid in $(jobs -p); do kill -KILL "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true # bash tells of each that was killed
  [[ ! -e $temp/redis.pid ]] || kill -KILL "$(cat "$temp/redis.pid")" 2>/dev/null || true
  rm -rf "$temp"
}
trap stop EXIT

# does STATUS COMMAND...: shows the command and its answer, which `answer` keeps; fails where it ends otherwise.
answer=
does() {
  local wanted=$1 status=0
  shift
  printf '\n$ %s\n' "$*"
  answer=$("$@" 2>&1) || status=$?
  printf '%s\n' "$answer"
  # shellcheck disable=SC2053 # a pattern
  [[ $status == $wanted ]] || fail "ended with $status, not $wanted"
}

fail() {
  printf '\n*** %s\n' "$*" >&2
  exit 1
}

# says PATTERN...: each stands in the first three lines that are not empty.
says() {
  local head pattern
  head=$(awk 'NF && n++ < 3' <<<"$answer")
  for pattern; do grep -Eq -- "$pattern" <<<"$head" || fail "not in the first three lines: $pattern"; done
}

# shows PATTERN...: each stands somewhere in the answer.
shows() {
  local pattern
  for pattern; do grep -Eq -- "$pattern" <<<"$answer" || fail "not there: $pattern"; done
}

# until COMMAND...: waits for it, at most 30 s.
until_true() {
  local end=$((SECONDS + 30))
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || fail "never came true: $*"
    sleep 0.05
  done
}

redis() { redis-cli -s "$temp/redis.socket" "$@"; }
redis_command=(redis-server --port 0 --unixsocket "$temp/redis.socket" --save '' --dir "$temp" --pidfile "$temp/redis.pid")
redis_load() { redis-benchmark -s "$temp/redis.socket" -q -n "$1" -t set; }
