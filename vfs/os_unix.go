//go:build unix

package vfs

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// openNoFollow refuses symbolic links and does not wait for the writer of a pipe.
const openNoFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

func (osFS) SyncDir(dir string) error {
	f, err := os.Open(dir)
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOMEM):
		return fmt.Errorf("%w: %w", ErrNotTried, err)
	case err != nil:
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
