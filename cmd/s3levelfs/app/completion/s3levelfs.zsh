#compdef s3levelfs
# Completion of s3levelfs for zsh: its commands, options and their values; where it knows none, files.
_s3levelfs() {
	local -a found
	found=("${(@f)$(${words[1]} __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
	if [[ -z ${found[1]} ]]; then
		_files
		return
	fi
	found=("${(@)found//:/\\:}")
	found=("${(@)found/$'\t'/:}")
	_describe s3levelfs found
}
if [[ ${funcstack[1]} == _s3levelfs ]]; then
	_s3levelfs "$@"
else
	compdef _s3levelfs s3levelfs
fi
