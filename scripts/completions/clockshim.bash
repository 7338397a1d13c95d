# shellcheck shell=bash
# Completion of clockshim for bash. Commands, options and formats are those that `clockshim --help` prints; the values of
# options stand here, and tests/install/completions.py compares them with what the command accepts.

# _clockshim_help PATTERN [COMMAND]: the group of each line of --help that begins with PATTERN
_clockshim_help() {
  local pattern=$1
  shift
  "$_clockshim_program" "$@" --help 2>/dev/null | sed -nE "s/^  (-h,)?$pattern.*/\2/p"
}

# _clockshim_beginning PREFIX: the lines that begin so. compgen -W would expand what looks like a command in a name, and
# anybody may give a program a name.
_clockshim_beginning() {
  local word
  while IFS= read -r word; do
    [[ $word != "$1"* ]] || printf '%s\n' "$word"
  done
}

# _clockshim_processes PREFIX: the numbers and the names of the processes that have a live file
_clockshim_processes() {
  "$_clockshim_program" list --json 2>/dev/null | sed -nE 's/^ *"(pid|program)": "?([^"]*)"?,$/\2/p' | sort -u |
    _clockshim_beginning "$1"
}

# _clockshim_all_processes PREFIX: the numbers and the names of all that run
_clockshim_all_processes() {
  ps -eo pid=,comm= 2>/dev/null | sed -E 's/^ *([0-9]+) (.*)$/\1\n\2/' | sort -u | _clockshim_beginning "$1"
}

# _clockshim_values OPTION COMMAND: the values that an option takes, if they are words
_clockshim_values() {
  case $1 in
    --counters) echo auto agree disagree ;;
    --order) echo strict relaxed ;;
    --profile) echo sites stacks off ;;
    --depth) echo 0 1 2 3 4 5 6 ;;
    --clocks) echo all realtime monotonic monotonic_raw boottime tai ;;
    --follow) echo 0 1 ;;
    --log) echo off error warn info debug ;;
    --report) echo stderr none ;;
    --format) _clockshim_help '([a-z]+) +[a-z]' "$2" | grep -v '^targets$' ;;
    --tolerance | --watch | --interval | --only | --skip) echo '' ;; # any text
    *) return 1 ;;
  esac
}

_clockshim() {
  local _clockshim_program=${COMP_WORDS[0]} command=${COMP_WORDS[1]-} i begin=0 words
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    words="$(_clockshim_help '([a-z]+) +[a-z]') --help --version"
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    return
  fi
  # Behind "--", or behind the options of run, stands a command line of its own.
  for ((i = 2; i < COMP_CWORD; i++)); do
    if [[ ${COMP_WORDS[i]} == -- ]]; then
      begin=$((i + 1))
    elif [[ $command == run && ${COMP_WORDS[i]} != -?* ]]; then
      begin=$i
    elif [[ $command == run && ${COMP_WORDS[i]} != @(-h|--help|*=*) ]]; then
      i=$((i + 1)) # the option's value
      [[ ${COMP_WORDS[i]} != = ]] || i=$((i + 1))
    fi
    ((begin == 0)) || break
  done
  if [[ $command == run && $current != -* ]] && ((begin == 0 && i == COMP_CWORD)); then
    begin=$i
  fi
  if ((begin > 0)); then
    if ((begin < COMP_CWORD)) && declare -F _command_offset >/dev/null; then
      _command_offset "$begin"
    elif ((begin < COMP_CWORD)); then
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
    else
      mapfile -t COMPREPLY < <(compgen -c -- "$current")
    fi
    return
  fi
  # --order=strict is three words for readline.
  if [[ $current == = ]]; then
    current=''
  elif [[ $previous == = ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  if [[ $previous == --dir ]]; then
    mapfile -t COMPREPLY < <(compgen -d -- "$current")
  elif [[ $previous == --output || $previous == --plot ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  elif [[ $previous == --* ]] && words=$(_clockshim_values "$previous" "$command"); then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    [[ $previous != --report ]] || mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$current")
  elif [[ $current == -* ]]; then
    words=$(_clockshim_help '(--[a-z-]+)' "$command")
    [[ $command != run ]] || words+=' --'
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  else
    case $command in
      attach) mapfile -t COMPREPLY < <(_clockshim_all_processes "$current") ;;
      report | top | diff | detach) mapfile -t COMPREPLY < <(_clockshim_processes "$current") ;;
    esac
    case $command in
      report | diff) mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$current") ;;
      doctor) mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -c -- "$current") ;;
    esac
  fi
} && complete -o filenames -F _clockshim clockshim
