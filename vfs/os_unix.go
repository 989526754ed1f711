//go:build unix

package vfs

import (
	"os"
	"syscall"
)

// openNoFollow refuses symbolic links and does not wait for the writer of a pipe.
const openNoFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

func (osFS) SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
