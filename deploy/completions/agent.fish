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

function __mapscope_agent_after
    set -l words (commandline -opc)
    contains -- $words[-1] $argv
end

function __mapscope_agent_takes_value
    __mapscope_agent_after --mode --events --log.level --log.format --attach-method --pid
end

complete -c agent -n 'not __fish_seen_subcommand_from inspect doctor --; and not __mapscope_agent_takes_value' -f -a 'inspect\t"what would be probed in a binary" doctor\t"can this kernel and this user do it"'
complete -c agent -n 'string match -q -- "-*" (commandline -ct)' -f -a '(__mapscope_agent_options)'
complete -c agent -n '__mapscope_agent_after --mode' -f -a 'resizes inserts races'
complete -c agent -n '__mapscope_agent_after --events' -f -a 'text json none'
complete -c agent -n '__mapscope_agent_after --log.level' -f -a 'debug info warn error'
complete -c agent -n '__mapscope_agent_after --log.format' -f -a 'text json'
complete -c agent -n '__mapscope_agent_after --attach-method' -f -a 'auto multi perf'
complete -c agent -n '__mapscope_agent_after --pid' -f -a '(__fish_complete_pids)'
