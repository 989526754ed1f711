//go:build unix

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// isPrivate tells whether a file is a directory that nobody but the user of this process has a way into.
func isPrivate(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return info.IsDir() && info.Mode().Perm()&0o077 == 0 && ok && int(st.Uid) == os.Geteuid()
}

// shortTemporary is where temporary files of a user lie whose path is short, whatever the environment says.
const shortTemporary = "/tmp"

// shortSocketDir is the directory of sockets where that of the environment has a path too long for them.
func shortSocketDir() string {
	return filepath.Join(shortTemporary, "tinykv-"+strconv.Itoa(os.Geteuid()))
}
