# shellcheck shell=bash
# One benchmark run of two freeDiameter daemons, as functions. Sourced, after lib.sh; whoever sources it calls stop_at_once
# when it ends, whatever the reason. Each wait has a limit, and says what it waited for.

start_limit=30 # seconds, for each of: started, connected
stop_limit=40  # a daemon gives its peer up to 16 s to go; then its exit report is written

daemon_file=$(readlink -f "$(command -v freeDiameterd || echo /usr/bin/freeDiameterd)")
started=() # our own child of each peer: the daemon, or the outermost of the commands that it runs under

# has LOG TEXT PID: the text is in the log; dies where the process is gone before
has() {
  grep -qs "$2" "$1" && return # -s: the log may not be there yet
  [[ -d /proc/$3 ]] || give_up "$1" "the daemon is gone"
  return 1
}

give_up() {
  tail -n 15 "$1" >&2
  die "$2; above: the end of $1"
}

# The daemon's own process: PID or the one below it that runs the daemon's file. Signals go to it, whatever it runs under.
daemon_below() {
  local pid=$1 child
  if [[ /proc/$pid/exe -ef $daemon_file ]]; then
    echo "$pid"
  else
    # shellcheck disable=SC2013 # words
    for child in $(cat "/proc/$pid/task/$pid/children" 2>/dev/null); do daemon_below "$child"; done
  fi
}

# start_peer N CONF_DIR LOG [PREFIX...]: starts peer N under the prefix; returns when it is ready. Sets started, daemon[N].
start_peer() {
  local n=$1 conf=$2 log=$3
  shift 3
  # pdeathsig: where this shell is killed outright, no trap runs, and still no daemon stays behind.
  setpriv --pdeathsig TERM "$@" freeDiameterd -c "$conf/$n.conf" >"$log" 2>&1 </dev/null 9>&- &
  started+=($!)
  # The last lines of a start: freeDiameter 1.2 says both, 1.5 the second alone.
  wait_until "$start_limit" has "$log" 'daemon initialized\|Local server address' $! || give_up "$log" "peer $n did not start in $start_limit s"
  daemon[n]=$(daemon_below $!)
  [[ ${daemon[n]} ]] || give_up "$log" "cannot find the process of peer $n"
}

# CPU time of the two daemons so far, in clock ticks
cpu_ticks() {
  # utime and stime: the 12th and 13th after the program's name, which may have blanks
  sed 's/.*) //' "/proc/${daemon[1]}/stat" "/proc/${daemon[2]}/stat" | awk '{ t += $12 + $13 } END { print t }'
}

is_gone() { [[ ! -d /proc/$1 ]]; }

# stop_pair LOG1 LOG2: ends both as an operator would, and waits until they are gone, so that their exit reports are complete.
# One after the other: two that say goodbye at the same moment often wait 16 s for each other's answer.
stop_pair() {
  local n pid status logs=("" "$1" "$2") pids=("" "${started[1]}" "${started[0]}") # 2 was started first
  for n in 1 2; do
    pid=${pids[n]} status=0
    kill -TERM "${daemon[n]}"
    wait_until "$stop_limit" is_gone "$pid" || give_up "${logs[n]}" "peer $n did not end in $stop_limit s after SIGTERM"
    wait "$pid" || status=$?
    ((status == 0)) || give_up "${logs[n]}" "peer $n ended with status $status"
  done
  started=()
}

# Ends what is left of a run that did not come to its end. Killed, not asked: busy daemons take many seconds to go.
stop_at_once() {
  local pid below
  for pid in "${started[@]}"; do
    below=$(daemon_below "$pid") || true
    kill -KILL ${below:+"$below"} "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  started=()
}

# run_pair CONF_DIR RUN_DIR SECONDS [PREFIX...]: one run. Leaves in RUN_DIR the daemons' logs, peer1.log and peer2.log, and `result`,
# one line: answers, their seconds, errors, slowest answer in seconds, microseconds of both daemons' CPU an answer.
# In the prefix the word %N stands for the number of the peer. With `gate`, a file's name, set: says in RUN_DIR/ready which processes the
# daemons are, waits until that file is there, and says in RUN_DIR/begun that it has begun.
run_pair() {
  local conf=$1 dir=$2 seconds=$3 log1=$2/peer1.log log2=$2/peer2.log before after
  shift 3
  declare -ga daemon=()
  mkdir -p "$dir"
  start_peer 2 "$conf" "$log2" "${@//%N/2}"
  start_peer 1 "$conf" "$log1" "${@//%N/1}"
  # Before the two are connected, and the extension is loaded, SIGUSR1 kills the daemon.
  wait_until "$start_limit" has "$log1" STATE_OPEN "${daemon[1]}" || give_up "$log1" "the peers did not connect in $start_limit s"
  if [[ ${gate-} ]]; then
    echo "${daemon[@]}" >"$dir/ready.new"
    mv "$dir/ready.new" "$dir/ready"
    wait_until 600 test -e "$gate" || die "nobody said that the benchmark may begin"
  fi
  before=$(cpu_ticks)
  kill -USR1 "${daemon[1]}"
  [[ ! ${gate-} ]] || touch "$dir/begun"
  wait_until $((seconds + start_limit)) has "$log1" 'end sending' "${daemon[1]}" || give_up "$log1" "the benchmark of $seconds s did not end"
  after=$(cpu_ticks)
  # The answers that are still under way come within a second; where one is lost, the client never says that it is complete.
  wait_until 10 has "$log1" 'Test Complete' "${daemon[1]}" || say "some requests were never answered ($log1)"
  stop_pair "$log1" "$log2"

  local answers took errors slowest
  answers=$(first_match "$log1" ' ([0-9]+) answer\(s\) received')
  took=$(first_match "$log1" 'Executing for: ([0-9.]+) sec')
  errors=$(last_match "$log1" ' ([0-9]+) error\(s\) received')
  slowest=$(last_match "$log1" 'slowest: (-?[0-9.-]+) sec')
  [[ $answers && $answers != 0 && $took && $errors && $slowest ]] || give_up "$log1" "cannot read the benchmark's result"
  awk -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" -v answers="$answers" -v rest="$took $errors $slowest" \
    'BEGIN { printf "%d %s %.1f\n", answers, rest, ticks / hz * 1e6 / answers }' >"$dir/result"
}
