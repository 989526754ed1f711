//go:build !plan9

package vfs

import (
	"errors"
	"io/fs"
	"runtime"
	"syscall"
)

// IsRefused tells whether an error says that something may not be written to: by this user, or by anybody.
func IsRefused(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// What Windows answers when there is no room: ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL.
const (
	windowsHandleDiskFull = syscall.Errno(39)
	windowsDiskFull       = syscall.Errno(112)
)

// IsFull tells whether an error says that the disk has no room left, or that the user may not have more of it.
func IsFull(err error) bool {
	full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
	if runtime.GOOS != "windows" {
		return full
	}
	return full || errors.Is(err, windowsHandleDiskFull) || errors.Is(err, windowsDiskFull)
}
