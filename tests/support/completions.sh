# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the completions of deploy/completions offer behind a line, in the shells themselves: bash_words, zsh_words and
# fish_words LINE; a blank at its end begins another word. REQUIRES: $completions, and $agent_folder, which holds the agent.

# shellcheck disable=SC2016  # it is bash that expands
bash_words() {
  PATH=$agent_folder:$PATH bash -c 'source "$1"; read -ra COMP_WORDS <<<"$2"; [[ $2 != *" " ]] || COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_LINE=$2; COMP_POINT=${#2}
    _mapscope_agent agent "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    printf "%s\n" "${COMPREPLY[@]}"' bash "$completions/agent.bash" "$1" | LC_ALL=C sort -u
}

zsh_words() {
  cp "$completions/_agent" "$agent_folder"
  zsh "$(dirname "${BASH_SOURCE[0]}")/zsh_words.zsh" "$agent_folder" "$1" | LC_ALL=C sort -u
}

# shellcheck disable=SC2016  # it is fish that expands
fish_words() {
  PATH=$agent_folder:$PATH fish --no-config -c 'source $argv[1]; complete -C "$argv[2]"' "$completions/agent.fish" "$1" |
    cut -f 1 | LC_ALL=C sort -u
}
