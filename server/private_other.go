//go:build !unix

package server

import "io/fs"

// isPrivate tells whether a file is a directory: modes say nothing here, the directories of a user do.
func isPrivate(info fs.FileInfo) bool { return info.IsDir() }
