package disk

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Written writes out what the file system of a directory holds in memory, and returns how many bytes its device has been written since
// the machine started, by anybody: alone on a machine, the difference of two calls is what was written between. It is 0 where that
// cannot be told.
func Written(dir string) (int64, error) {
	f, err := os.Open(dir)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return 0, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/sys/dev/block/%d:%d/stat", unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev))))
	if err != nil {
		return 0, nil // no block device: a file system in memory, or of another kind
	}
	return sectorsWritten(string(text)) * BlockBytes, nil
}

// sectorsWritten returns the seventh number of a line as the kernel's Documentation/block/stat.rst describes.
func sectorsWritten(stat string) (sectors int64) {
	const seventh = 6
	fields := strings.Fields(stat)
	if len(fields) <= seventh {
		return 0
	}
	if _, err := fmt.Sscan(fields[seventh], &sectors); err != nil {
		return 0
	}
	return sectors
}
