# Completion of s3levelfs for bash: its commands, options and their values; where it knows none, files.
_s3levelfs() {
	local IFS=$'\n' cur=${COMP_WORDS[COMP_CWORD]}
	local found
	found=$("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1)
	[[ $cur == "=" ]] && cur=
	COMPREPLY=($(compgen -W "$found" -- "$cur"))
}
complete -o bashdefault -o default -F _s3levelfs s3levelfs
