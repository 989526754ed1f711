package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// datasync syncs contents and size, but not times, which nobody here reads.
func datasync(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINTR) {
			return &fs.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
		}
	}
}

// scatter says that a mapping is read here and there, so that a page fault brings in a page and not what lies
// around it: with data larger than memory that would drive out what is needed.
func scatter(view []byte) { _ = advise(view, 0, int64(len(view)), unix.MADV_RANDOM) }

// populate reads a range into memory and enters it in the page table, in one system call
// (Linux 5.14). Older kernels refuse the advice, which is no error. Announced first, as it would be
// read page by page.
func populate(view []byte, off, n int64) error {
	if n > int64(os.Getpagesize()) {
		announce(view, off, n)
	}
	err := advise(view, off, n, unix.MADV_POPULATE_READ)
	if err == nil || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	if errors.Is(err, unix.EFAULT) { // where a touch would be a fault
		return unix.EIO
	}
	return err
}

// announce starts reading a range ahead.
func announce(view []byte, off, n int64) { _ = advise(view, off, n, unix.MADV_WILLNEED) }

// populateWritable enters a range of a writable mapping in the page table, ready to be stored to, in one
// system call (Linux 5.14). What fails here is met again by the store.
func populateWritable(view []byte, off, n int64) { _ = advise(view, off, n, unix.MADV_POPULATE_WRITE) }

// giveUp takes a range of a shared mapping out of the page table. What was stored to it stays in the
// page cache, and touching it enters it again.
func giveUp(view []byte, off, n int64) { _ = advise(view, off, n, unix.MADV_DONTNEED) }

// advise gives advice on the pages of a range.
func advise(view []byte, off, n int64, advice int) error {
	page := int64(os.Getpagesize())
	start := off &^ (page - 1)
	end := min(off+n, int64(len(view)))
	if start < 0 || start >= end {
		return nil
	}
	return unix.Madvise(view[start:end], advice)
}

func (osFS) Space(dir string) (Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Space{}, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	blockBytes := int64(st.Bsize)
	return Space{TotalBytes: int64(st.Blocks) * blockBytes, FreeBytes: int64(st.Bavail) * blockBytes}, nil
}

func (osFS) Type(dir string) (string, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "", &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return typeName(int64(st.Type)), nil
}

func typeName(magic int64) string {
	switch magic {
	case unix.EXT4_SUPER_MAGIC: // ext2 and ext3 share it
		return "ext4"
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.TMPFS_MAGIC:
		return "tmpfs"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlay"
	case unix.NFS_SUPER_MAGIC:
		return "nfs"
	default:
		return "other"
	}
}

// CacheID is the boot id and the id of the mount, which Linux 6.8 and later never use twice.
func (osFS) CacheID(dir string) string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	var st unix.Statx_t
	err = unix.Statx(unix.AT_FDCWD, dir, 0, unix.STATX_MNT_ID_UNIQUE, &st)
	if err != nil || st.Mask&unix.STATX_MNT_ID_UNIQUE == 0 {
		return ""
	}
	return fmt.Sprintf("%s/%d", strings.TrimSpace(string(text)), st.Mnt_id)
}

// mappable tells whether a file on this file system may be written through a mapping: its blocks,
// once allocated, stay where they are, so that a store cannot meet a full disk. Copy-on-write
// and network file systems cannot promise that.
func mappable(f *os.File) bool {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return false
	}
	switch typeName(int64(st.Type)) {
	case "ext4", "xfs", "tmpfs":
		return true
	default:
		return false
	}
}

func mapWritable(f *os.File, size int64) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func unmap(view []byte) error { return unix.Munmap(view) }
