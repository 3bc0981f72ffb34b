# bash completion for chop: source it, or put it into /usr/share/bash-completion/completions/chop
_chop() {
    local words
    words=$(chop --complete "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _chop chop
