package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Volume is a mounted file system that a test may hurt. It is for one goroutine, but for Cut.
type Volume struct {
	Dir string // where it is mounted

	t       testing.TB
	kind    Kind
	options string
	ground  string // the tmpfs below the image
	image   string
	device  string // of the present mount
}

// Settings describe a volume.
type Settings struct {
	Kind    Kind
	Bytes   int64  // size of the file system
	Ground  int64  // size of the tmpfs below the image; 0 for enough
	Options string // of the mount, beside those that every volume has
}

// New makes and mounts a volume. It is unmounted when the test ends.
func New(t testing.TB, s Settings) *Volume {
	t.Helper()
	Need(t, s.Kind)
	top := t.TempDir()
	v := &Volume{t: t, kind: s.Kind, options: s.Options, Dir: filepath.Join(top, "disk"), ground: filepath.Join(top, "ground")}
	for _, dir := range []string{v.Dir, v.ground} {
		v.must(os.Mkdir(dir, 0o700))
	}
	t.Cleanup(v.release)
	if s.Kind == Tmpfs {
		v.must(mount("none", v.Dir, "tmpfs", fmt.Sprintf("size=%d,%s", s.Bytes, orNothing(s.Options))))
		return v
	}
	if s.Ground == 0 {
		s.Ground = max(s.Bytes, s.Kind.smallest()) + 4<<20
	}
	v.must(mount("none", v.ground, "tmpfs", fmt.Sprintf("size=%d", s.Ground)))
	v.image = filepath.Join(v.ground, "image")
	v.must(makeImage(v.image, s.Kind, s.Bytes))
	v.Mount()
	return v
}

// orNothing returns mount options that are not empty.
func orNothing(options string) string {
	if options == "" {
		return "mode=0700"
	}
	return options
}

func mount(source, dir, fsType, options string) error {
	if err := unix.Mount(source, dir, fsType, unix.MS_NOATIME, options); err != nil {
		return fmt.Errorf("mount %s (%s) on %s: %w", fsType, options, dir, err)
	}
	return nil
}

// Resize gives a tmpfs another size, or another number of files, by options of its mount.
func (v *Volume) Resize(options string) {
	v.t.Helper()
	if err := unix.Mount("none", v.Dir, "tmpfs", unix.MS_REMOUNT|unix.MS_NOATIME, options); err != nil {
		v.t.Fatalf("remount with %s: %v", options, err)
	}
}

// Mount mounts the volume, which must not be mounted.
func (v *Volume) Mount() {
	v.t.Helper()
	loop, err := attach(v.image)
	v.must(err)
	defer loop.Close() // the mount holds it from then on
	v.device = loop.Name()
	// A request of several pages to a disk that has no room may be stored in part and reported as stored: so every page is a request.
	v.must(os.WriteFile(filepath.Join("/sys/block", filepath.Base(v.device), "queue/max_sectors_kb"), []byte("4"), 0))
	options := "nodiscard"
	if v.kind != XFS {
		options = "errors=continue,nodiscard"
	}
	if v.options != "" {
		options += "," + v.options
	}
	v.must(mount(v.device, v.Dir, v.kind.fsType(), options))
}

// Unmount unmounts the volume. A file that is still open somewhere is a failure of the test.
func (v *Volume) Unmount() {
	v.t.Helper()
	const patience = 20 * time.Second
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(patience)
	for {
		err := unix.Unmount(v.Dir, 0)
		if err == nil {
			return
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			v.t.Fatalf("unmount %s: %v\n%s", v.Dir, err, v.users())
		}
		<-ticker.C // the kernel closes what a process left open a moment after its end
	}
}

// users tells what of the volume this process has open or mapped.
func (v *Volume) users() string {
	var b strings.Builder
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		if name, err := os.Readlink(filepath.Join("/proc/self/fd", fd.Name())); err == nil && strings.HasPrefix(name, v.Dir) {
			fmt.Fprintf(&b, "open: %s\n", name)
		}
	}
	maps, _ := os.ReadFile("/proc/self/maps")
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, v.Dir) {
			b.WriteString("mapped: " + line)
		}
	}
	return b.String()
}

// Cut takes the power away: what is not on the disk never gets there, and every call fails until Remount. It may be called from any
// goroutine.
func (v *Volume) Cut() error {
	const (
		shutdown   = 0x8004587d // EXT4_IOC_SHUTDOWN, which is XFS_IOC_GOINGDOWN
		noLogFlush = 2
	)
	f, err := os.Open(v.Dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.IoctlSetPointerInt(int(f.Fd()), shutdown, noLogFlush), f.Close())
}

// Remount unmounts the volume and mounts it again, which repairs it after a cut as the kernel does.
func (v *Volume) Remount() {
	v.t.Helper()
	v.Unmount()
	v.Mount()
}

// Store is the directory in which tests have their store.
func (v *Volume) Store() string { return filepath.Join(v.Dir, "store") }

func (v *Volume) release() {
	for _, dir := range []string{v.Dir, v.ground} {
		_ = unix.Unmount(dir, unix.MNT_DETACH) // what was not mounted, or is busy, ends with the process
	}
}

func (v *Volume) must(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

// Evict takes what this process has mapped of the volume out of its page tables, as the system does when it needs memory. So DropCaches drops
// it, and the next touch reads the disk.
func (v *Volume) Evict() {
	v.t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	v.must(err)
	for line := range strings.Lines(string(maps)) {
		if !strings.Contains(line, v.Dir) {
			continue
		}
		var start, end uintptr
		_, err := fmt.Sscanf(line, "%x-%x", &start, &end)
		v.must(err)
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, start, end-start, unix.MADV_DONTNEED); errno != 0 {
			v.t.Fatalf("madvise: %v: %s", errno, line)
		}
	}
}

// DropCaches has the kernel forget what it can read again of the files of the volume, but for what is mapped and was touched.
func (v *Volume) DropCaches() {
	v.t.Helper()
	v.must(filepath.WalkDir(v.Dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		return errors.Join(unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
	}))
}
