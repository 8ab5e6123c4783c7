# Read by an interactive zsh: prints what is proposed for a line that ends with a tab, and ends. SCRIPT is the script to be tried.
PROMPT=
autoload -U compinit
compinit -D -u
source $SCRIPT
compadd() {
  # What only looks at matches proposes nothing.
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
    builtin compadd "$@"
    return
  fi
  local -a proposed
  builtin compadd -A proposed "$@"
  print
  for word in $proposed; print -r -- "proposed:$word"
  builtin compadd "$@"
}
ended() {
  print ended
  exit
}
comppostfuncs=(ended)
bindkey '^I' complete-word
print ready
