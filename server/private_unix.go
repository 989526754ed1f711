//go:build unix

package server

import (
	"io/fs"
	"os"
	"syscall"
)

// isPrivate tells whether a file is a directory that nobody but the user of this process has a way into.
func isPrivate(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return info.IsDir() && info.Mode().Perm()&0o077 == 0 && ok && int(st.Uid) == os.Geteuid()
}
