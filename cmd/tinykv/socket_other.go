//go:build !unix

package main

import (
	"io/fs"
	"os"
)

// isPrivate tells whether a file is a directory; who has a way into it is not known.
func isPrivate(info fs.FileInfo) bool { return info.IsDir() }

// shortTemporary is where temporary files lie: there is no other place.
const shortTemporary = ""

// shortSocketDir is none: where the directory of the environment has too long a path, there is no other.
func shortSocketDir() string { return os.TempDir() }
