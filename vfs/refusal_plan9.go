package vfs

import (
	"errors"
	"io/fs"
)

// IsRefused tells whether an error says that something may not be written to.
func IsRefused(err error) bool { return errors.Is(err, fs.ErrPermission) }

// IsFull tells nothing here: the system says in words alone what is wrong.
func IsFull(error) bool { return false }
