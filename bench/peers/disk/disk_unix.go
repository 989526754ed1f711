//go:build unix

// Package disk tells how much of the disk files take.
package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
)

// BlockBytes is the unit of ru_oublock and st_blocks.
const BlockBytes = 512

// Allocated returns what the file system has allocated for the files below a directory. Files may come and go meanwhile.
func Allocated(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return ignoreGone(err)
		}
		info, err := entry.Info()
		if err != nil {
			return ignoreGone(err)
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			total += int64(st.Blocks) * BlockBytes
		}
		return nil
	})
	return total, err
}

// ignoreGone forgets that a file has just been removed.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
