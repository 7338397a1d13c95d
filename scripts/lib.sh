# shellcheck shell=bash
# What the scripts share: messages, numbers, and waiting with a limit. Sourced; changes nothing by itself.
# Whoever sources it runs under `set -euo pipefail`.

me=$(basename "$0")

say() { printf '%s: %s\n' "$me" "$*"; }

die() {
  printf '%s: %s\n' "$me" "$*" >&2
  exit 1
}

# quietly LOG COMMAND...: the command's output goes to LOG, and its end to the terminal if the command fails
quietly() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 && return
  tail -n 30 "$log" >&2
  die "failed: $* (all of its output: $log)"
}

# wait_until SECONDS COMMAND...: polls until the command succeeds, each $poll seconds; fails when the time is over
wait_until() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS <= end)) || return 1
    sleep "${poll:-0.1}"
  done
}

# free_ports N FIRST: the first N TCP ports in a row, from FIRST on in steps of N, that nobody listens on; prints the lowest
free_ports() {
  local n=$1 first=$2 taken p
  taken=" $(ss -Htan | awk '{ sub(/.*:/, "", $4); printf "%s ", $4 }')"
  for (( ; first + n < 65536; first += n)); do
    for ((p = first; p < first + n; p++)); do
      [[ $taken != *" $p "* ]] || continue 2
    done
    echo "$first"
    return
  done
  die "no $n free TCP ports in a row"
}

# first_match FILE REGEX, last_match: group 1 of the first or last line that matches, empty if none does. (The search is greedy:
# let the expression start with what stands before a number.)
first_match() { sed -nE "s|.*$2.*|\1|p" "$1" | sed -n 1p; }
last_match() { sed -nE "s|.*$2.*|\1|p" "$1" | sed -n '$p'; }
