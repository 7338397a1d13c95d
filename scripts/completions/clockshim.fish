# Completion of clockshim for fish. Commands, options and formats are those that `clockshim --help` prints; the values of
# options stand here, and tests/install/completions.py compares them with bash's.

# __clockshim_help PATTERN [COMMAND]: the group of each line of --help that begins with PATTERN
function __clockshim_help
    clockshim $argv[2..] --help 2>/dev/null | string replace -rf "^  (?:-h,)?$argv[1].*" '$1'
end

function __clockshim_command
    set -l words (commandline -opc)
    test (count $words) -gt 1; and echo $words[2]
end

# __clockshim_own: how many words stand before a command line of its own, which begins behind "--" or behind the options of
# run. Fails if there is none.
function __clockshim_own
    set -l words (commandline -opc)
    set -l command (__clockshim_command)
    set -l i 3
    while test $i -le (count $words)
        if test "$words[$i]" = --
            echo $i
            return 0
        else if test "$command" = run; and not string match -qr -- '^-.' $words[$i]
            math $i - 1
            return 0
        else if test "$command" = run; and not string match -qr -- '^(-h|--help|.*=.*)$' $words[$i]
            set i (math $i + 2)
        else
            set i (math $i + 1)
        end
    end
    test "$command" = run; and test $i -eq (math (count $words) + 1); and not string match -q -- '-*' (commandline -ct)
    and count $words
end

function __clockshim_is
    not __clockshim_own >/dev/null; and contains -- (__clockshim_command) $argv
end

complete -c clockshim -n 'test (count (commandline -opc)) -eq 1' -f -a '(__clockshim_help "([a-z]+) +[a-z]") --help --version'
complete -c clockshim -n '__clockshim_is run attach detach doctor bench report top list gc diff; and string match -q -- "-*" (commandline -ct)' \
    -f -a '(__clockshim_help "(--[a-z-]+)" (__clockshim_command))'
complete -c clockshim -n '__clockshim_own >/dev/null' -x -a '(__fish_complete_subcommand --fcs-skip=(__clockshim_own))'
# The numbers and the names of the processes that have a live file.
complete -c clockshim -n '__clockshim_is report top diff detach' \
    -a '(clockshim list --json 2>/dev/null | string replace -rf "^ *\"(?:pid|program)\": \"?([^\"]*)\"?,\$" \'$1\' | sort -u)'
# Those of all that run.
complete -c clockshim -n '__clockshim_is attach' \
    -a '(ps -eo pid=,comm= 2>/dev/null | string replace -r "^ *([0-9]+) (.*)\$" "\$1\n\$2" | sort -u)'
complete -c clockshim -n '__clockshim_is doctor' -x -a '(__fish_complete_command)'
complete -c clockshim -n '__clockshim_is run attach' -l counters -x -a 'auto agree disagree'
complete -c clockshim -n '__clockshim_is run' -l order -x -a 'strict relaxed'
complete -c clockshim -n '__clockshim_is run attach' -l profile -x -a 'sites stacks off'
complete -c clockshim -n '__clockshim_is run' -l depth -x -a '0 1 2 3 4 5 6'
complete -c clockshim -n '__clockshim_is run attach' -l clocks -x -a 'all realtime monotonic monotonic_raw boottime tai'
complete -c clockshim -n '__clockshim_is run' -l follow -x -a '0 1'
complete -c clockshim -n '__clockshim_is run attach' -l log -x -a 'off error warn info debug'
complete -c clockshim -n '__clockshim_is run' -l report -r -F -a 'stderr none'
complete -c clockshim -n '__clockshim_is report' -l format -x -a '(__clockshim_help "([a-z]+) +[a-z]" report | string match -v targets)'
complete -c clockshim -n '__clockshim_is run attach report top diff list gc' -l dir -x -a '(__fish_complete_directories)'
complete -c clockshim -n "__clockshim_is report" -l output -r -F
complete -c clockshim -n "__clockshim_is bench" -l plot -r -F
