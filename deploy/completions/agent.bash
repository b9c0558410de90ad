# bash completion for agent(8) of Mapscope                                -*- shell-script -*-
# SPDX-License-Identifier: Apache-2.0
# Options are read from the program itself, so they are those of the version that is installed.

_mapscope_agent_options() {
    "$@" --help 2>/dev/null | sed -nE 's/^ +(-[a-z],)?(--[a-z][a-z.-]*).*/\2/p'
}

_mapscope_agent() {
    local word=$2 previous=$3 agent=${COMP_WORDS[0]} command='' i words
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --)
                # What follows is a command line of its own.
                if declare -F _command_offset >/dev/null; then
                    _command_offset $((i + 1))
                elif ((COMP_CWORD == i + 1)); then
                    COMPREPLY=($(compgen -c -f -- "$word"))
                else
                    COMPREPLY=($(compgen -f -- "$word"))
                fi
                return
                ;;
            inspect | doctor) command=${COMP_WORDS[i]} ;;
        esac
    done
    [[ $word != = ]] || word=''
    [[ $previous != = ]] || previous=${COMP_WORDS[COMP_CWORD - 2]}
    case $previous in
        --mode) words='resizes inserts races' ;;
        --events) words='text summary json none' ;;
        --log.level) words='debug info warn error' ;;
        --log.format) words='text json' ;;
        --attach-method) words='auto multi perf' ;;
        --pid) words=$(cd /proc && printf '%s ' [0-9]*) ;;
        --comm | --exclude) words=$(cat /proc/[0-9]*/comm 2>/dev/null | sort -u) ;;
        --user) words=$(compgen -u) ;;
        --exe | --web.config.file | --cri.socket | --output | -o) COMPREPLY=($(compgen -f -- "$word")) && return ;;
        *)
            words=$(_mapscope_agent_options "$agent" $command)
            [[ -n $command ]] || words+=' inspect doctor --'
            [[ $command != inspect || $word == -* ]] || { COMPREPLY=($(compgen -f -- "$word")) && return; }
            ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}

complete -o filenames -F _mapscope_agent agent
