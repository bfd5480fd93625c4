# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# bash completion for lostpeer, from the --help of the installed program.

# _lostpeer_options PROGRAM VERB [VALUE]: the options of a verb, or only those with such a value, as 'FILE|PATH'.
_lostpeer_options()
{
	"$1" "$2" --help 2>/dev/null | sed -nE "/^  --(\[not-\])?[a-z-]+${3:+ [A-Z|]*($3)( |$)}/{
		s/^  --\[not-\]([a-z-]+).*/--\1 --not-\1/
		s/^  (--[a-z-]+).*/\1/
		p
	}"
}

_lostpeer()
{
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} verb=watch i
	for ((i = 1; i < COMP_CWORD; i++)); do
		[ "${COMP_WORDS[i]}" != -- ] || { compopt -o bashdefault -o default; return; } # a word of the COMMAND
	done
	[[ $COMP_CWORD -gt 1 && ${COMP_WORDS[1]} != -* ]] && verb=${COMP_WORDS[1]}
	if [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_lostpeer_options "$1" "$verb")" -- "$word")
	elif [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$("$1" --help | sed -nE 's/^  ([a-z]+) .*/\1/p')" -- "$word")
	elif [[ " $(_lostpeer_options "$1" "$verb" 'FILE|PATH' | tr '\n' ' ')" == *" $previous "* ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
	fi
}
complete -F _lostpeer lostpeer
