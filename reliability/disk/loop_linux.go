package disk

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// Kind is a kind of file system.
type Kind string

// The kinds of file systems.
const (
	Ext4      Kind = "ext4"            // with blocks of 4 KiB
	Ext4Small Kind = "ext4, 1k blocks" // with the smallest blocks, so that a page of a file lies in several
	XFS       Kind = "xfs"             // takes an image of 300 MiB at least
	Tmpfs     Kind = "tmpfs"           // memory, without an image: it can be full, but has no power to cut
)

// fsType returns what the kernel calls it.
func (k Kind) fsType() string {
	if k == Ext4Small {
		return "ext4"
	}
	return string(k)
}

// maker returns the program that makes it.
func (k Kind) maker() string { return "mkfs." + k.fsType() }

// smallest is the size of the smallest image that it goes into.
func (k Kind) smallest() int64 {
	if k == XFS {
		return 300 << 20
	}
	return 4 << 20
}

// makeImage makes a file of so many bytes with an empty file system.
func makeImage(image string, kind Kind, size int64) error {
	f, err := os.OpenFile(image, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(max(size, kind.smallest())), f.Close()); err != nil {
		return err
	}
	args := map[Kind][]string{
		Ext4:      {"-q", "-F", "-b", "4096", "-m", "0", "-E", "nodiscard"},
		Ext4Small: {"-q", "-F", "-b", "1024", "-m", "0", "-E", "nodiscard"},
		XFS:       {"-q", "-f", "-K"},
	}[kind]
	if out, err := exec.Command(kind.maker(), append(args, image)...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", kind.maker(), err, out)
	}
	return nil
}

// attach makes a block device of an image. It goes away with its last user; the caller is the first.
func attach(image string) (*os.File, error) {
	control, err := os.Open("/dev/loop-control")
	if err != nil {
		return nil, err
	}
	defer control.Close()
	backing, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer backing.Close()
	const attempts = 64 // others look for a free one too
	for range attempts {
		var n int
		if n, err = unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE); err != nil {
			return nil, fmt.Errorf("find a free loop device: %w", err)
		}
		var loop *os.File
		if loop, err = openLoop(n); err != nil {
			return nil, err
		}
		config := &unix.LoopConfig{Fd: uint32(backing.Fd())}
		config.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
		if err = unix.IoctlLoopConfigure(int(loop.Fd()), config); err == nil {
			return loop, nil
		}
		err = errors.Join(fmt.Errorf("attach %s: %w", loop.Name(), err), loop.Close())
		if !errors.Is(err, unix.EBUSY) {
			break
		}
	}
	return nil, err
}

// openLoop opens a loop device, whose node may be missing.
func openLoop(n int) (*os.File, error) {
	const major = 7
	name := fmt.Sprintf("/dev/loop%d", n)
	loop, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		if err := unix.Mknod(name, unix.S_IFBLK|0o600, int(unix.Mkdev(major, uint32(n)))); err != nil && !errors.Is(err, unix.EEXIST) {
			return nil, err
		}
		return os.OpenFile(name, os.O_RDWR, 0)
	}
	return loop, err
}
