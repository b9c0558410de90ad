# SPDX-License-Identifier: Apache-2.0
# zsh tests/support/zsh_words.zsh DIR LINE: what a real zsh offers when TAB is pressed behind LINE, one word a line. DIR holds
# the completion file _agent and the agent. The shell runs in a pseudo-terminal; every word passes through compadd.
emulate -L zsh
zmodload zsh/zpty
out=$(mktemp) setup=$(mktemp)
cat >$setup <<SETUP
PROMPT= RPS1= PS2=
unsetopt zle_bracketed_paste beep
PATH=$1:\$PATH
fpath=($1 \$fpath)
autoload -Uz compinit && compinit -u -D
compadd() {
  if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "\$@"; return \$?; fi
  local -a hits
  builtin compadd -O hits "\$@"
  print -rl -- \$hits >>$out
  builtin compadd "\$@"
}
end-of-words() { print END >>$out }
zle -N end-of-words
bindkey '^I' complete-word '^Xe' end-of-words
print READY
SETUP
zpty shell env TERM=xterm zsh -f -i
zpty -w shell "source $setup"
zpty -r -m shell seen '*READY*'
# No key that a terminal means: the line editor may not be there yet.
zpty -w -n shell "$2"$'\t\x18e'
integer left=600
until grep -qx END $out || ((--left == 0)); do
  zpty -r -t shell seen
  sleep 0.05
done
zpty -d shell
grep -vx -e END -e '' $out
rm -f $out $setup
((left > 0))
