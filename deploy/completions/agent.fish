# SPDX-License-Identifier: Apache-2.0
# fish completion for agent(8) of Mapscope. Options are read from the program itself, so they are those of the version that
# is installed.

function __mapscope_agent_options
    set -l words (commandline -opc)
    set -l command
    for word in $words
        contains -- $word inspect doctor; and set command $word
    end
    $words[1] $command --help 2>/dev/null | string replace -rf '^ +(?:-[a-z],)?(--[a-z][a-z.-]*)\S*(?:.*? {2,})?(.*)' '$1\t$2'
end

# How many words there are up to --, if one stands before what is being typed.
function __mapscope_agent_dashes
    contains -i -- -- (commandline -opc)
end

function __mapscope_agent_own
    not __mapscope_agent_dashes >/dev/null
end

function __mapscope_agent_after
    set -l words (commandline -opc)
    __mapscope_agent_own; and contains -- $words[-1] $argv
end

function __mapscope_agent_takes_value
    __mapscope_agent_after --mode --events --log.level --log.format --attach-method --pid --user --comm --exclude
end

function __mapscope_agent_command
    set -l words (commandline -opc)
    set -e words[1..(__mapscope_agent_dashes)]
    set -l line $words (commandline -ct)
    complete -C "$line"
end

# Behind -- stands a command line of its own.
complete -c agent -n __mapscope_agent_dashes -f -a '(__mapscope_agent_command)'
complete -c agent -n '__mapscope_agent_own; and not __fish_seen_subcommand_from inspect doctor; and not __mapscope_agent_takes_value' -f -a 'inspect\t"what would be probed in a binary" doctor\t"can this kernel and this user do it" --\t"a command to start and watch"'
complete -c agent -n '__mapscope_agent_own; and string match -q -- "-*" (commandline -ct)' -f -a '(__mapscope_agent_options)'
complete -c agent -n '__mapscope_agent_after --mode' -f -a 'resizes inserts races'
complete -c agent -n '__mapscope_agent_after --events' -f -a 'text summary json none'
complete -c agent -n '__mapscope_agent_after --log.level' -f -a 'debug info warn error'
complete -c agent -n '__mapscope_agent_after --log.format' -f -a 'text json'
complete -c agent -n '__mapscope_agent_after --attach-method' -f -a 'auto multi perf'
complete -c agent -n '__mapscope_agent_after --pid' -f -a '(__fish_complete_pids)'
complete -c agent -n '__mapscope_agent_after --user' -f -a '(__fish_complete_users)'
complete -c agent -n '__mapscope_agent_after --comm --exclude' -f -a '(cat /proc/*/comm 2>/dev/null | sort -u)'
