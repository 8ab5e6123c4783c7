# Types its second argument and a tab into an interactive zsh that has read its first, and prints what that says.
zmodload zsh/zpty
zpty inner zsh -f -i
zpty -w inner "source ${(q)1}"
zpty -r inner said "*ready*"
zpty -w -n inner "$2"$'\t'
zpty -r inner said "*ended*"
print -r -- $said
