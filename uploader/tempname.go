package uploader

import (
	"path"
	"regexp"
	"strings"
)

// looksTemporary reports whether programs use such a name for a file that they will
// soon rename or remove: editors, browsers, rsync, git, GNOME. Their uploads wait Config.TempSettle.
func looksTemporary(key string) bool {
	name := path.Base(key)
	switch path.Ext(name) {
	case ".tmp", ".part", ".crdownload", ".swp", ".swx", ".swo", ".lock", ".temp", ".partial", ".download":
		return true
	}
	switch {
	case name == "4913", // vim tries whether it may create files
		strings.HasSuffix(name, "~"),
		strings.HasPrefix(name, ".goutputstream-"),
		strings.HasPrefix(name, ".#"),
		strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#") && len(name) > 1,
		strings.HasPrefix(name, "tmp_obj_"), strings.HasPrefix(name, "tmp_pack_"), strings.HasPrefix(name, "tmp_idx_"):
		return true
	}
	return rsyncName(name)
}

// rsyncName: ".name.XXXXXX", six letters and digits as mkstemp makes them. Without one digit
// or capital among them it is rather a word (".config.backup").
func rsyncName(name string) bool {
	if !strings.HasPrefix(name, ".") {
		return false
	}
	m := regexp.MustCompile(`^\..+\.([A-Za-z0-9]{6})$`).FindStringSubmatch(name)
	return m != nil && strings.ContainsAny(m[1], "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
}
