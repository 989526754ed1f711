package disk

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// blockBytes is the size of a block of the file systems whose blocks are made to fail.
const blockBytes = 4096

// Blocks of a disk fail when they cannot be stored: the image has holes there, and the ground is full. What is read from a hole is zeros. With
// the ground free again the disk is whole, but what was lost is lost.

// extent is a run of bytes of a file and where they lie on the disk.
type extent struct{ inFile, onDisk, size int64 }

// extents tells where a file lies. The file must have been synced.
func (v *Volume) extents(name string) []extent {
	v.t.Helper()
	out, err := exec.Command("filefrag", "-e", "-b"+strconv.Itoa(blockBytes), name).CombinedOutput()
	if err != nil {
		v.t.Fatalf("filefrag: %v: %s", err, out)
	}
	// Lines of extents begin with their number:
	//    0:        0..      63:      33000..     33063:     64:             last,eof
	var all []extent
	for line := range strings.Lines(string(out)) {
		f := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == ':' || r == '.' || r == '\n' })
		if len(f) < 6 {
			continue
		}
		var n [6]int64
		for i := range n {
			if n[i], err = strconv.ParseInt(f[i], 10, 64); err != nil {
				break
			}
		}
		if err == nil {
			all = append(all, extent{inFile: n[1] * blockBytes, onDisk: n[3] * blockBytes, size: n[5] * blockBytes})
		}
	}
	return all
}

// Allocate gives the whole image its room on the ground, so that no block fails but those that are broken.
func (v *Volume) Allocate() {
	v.t.Helper()
	v.onImage(func(fd int, size int64) error { return unix.Fallocate(fd, 0, 0, size) })
}

func (v *Volume) onImage(do func(fd int, size int64) error) {
	v.t.Helper()
	f, err := os.OpenFile(v.image, os.O_RDWR, 0)
	v.must(err)
	defer f.Close()
	info, err := f.Stat()
	v.must(err)
	v.must(do(int(f.Fd()), info.Size()))
}

// punch makes holes of what lies in a file from an offset on, and returns how large they are.
func (v *Volume) punch(name string, from int64) (total int64) {
	v.t.Helper()
	v.onImage(func(fd int, _ int64) error {
		for _, e := range v.extents(name) {
			skip := min(max(from-e.inFile, 0), e.size)
			if skip == e.size {
				continue
			}
			total += e.size - skip
			if err := unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, e.onDisk+skip, e.size-skip); err != nil {
				return err
			}
		}
		return nil
	})
	return total
}

// BreakTail breaks the blocks at the end of a file that hold nothing but zeros, which are room for what is to come, and returns how many bytes
// they are. Nobody may write meanwhile.
func (v *Volume) BreakTail(name string) int64 {
	v.t.Helper()
	v.syncAll()
	data, err := os.ReadFile(name)
	v.must(err)
	used := int64(len(bytes.TrimRight(data, "\x00")))
	return v.punch(name, (used+blockBytes-1)/blockBytes*blockBytes)
}

// BreakFree breaks the blocks that no file has yet, and returns how many bytes they are.
func (v *Volume) BreakFree() (total int64) {
	v.t.Helper()
	v.syncAll()
	name := filepath.Join(v.Dir, "free")
	f, err := os.Create(name)
	v.must(err)
	var st unix.Statfs_t
	v.must(unix.Fstatfs(int(f.Fd()), &st))
	for size := int64(st.Bavail) * int64(st.Bsize); size >= blockBytes; {
		if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err == nil {
			break
		}
		size -= size / 16
	}
	v.must(errors.Join(f.Sync(), f.Close()))
	total = v.punch(name, 0)
	v.must(os.Remove(name))
	v.syncAll()
	return total
}

// syncAll brings everything to the disk.
func (v *Volume) syncAll() {
	v.t.Helper()
	f, err := os.Open(v.Dir)
	v.must(err)
	defer f.Close()
	v.must(unix.Syncfs(int(f.Fd())))
}

func (v *Volume) ballast() string { return filepath.Join(v.ground, "ballast") }

// FillGround makes the broken blocks fail.
func (v *Volume) FillGround() {
	v.t.Helper()
	v.must(fill(v.ballast(), 1<<40))
}

// FreeGround makes them whole again.
func (v *Volume) FreeGround() {
	v.t.Helper()
	if err := os.Remove(v.ballast()); err != nil && !errors.Is(err, os.ErrNotExist) {
		v.t.Fatal(err)
	}
}

// fill writes to a file up to a size, or as long as there is room.
func fill(name string, size int64) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	block := bytes.Repeat([]byte{0xff}, 1<<20)
	for len(block) >= blockBytes && size > 0 {
		n, werr := f.Write(block[:min(int64(len(block)), size)])
		size -= int64(n)
		switch {
		case errors.Is(werr, unix.ENOSPC): // smaller ones may find room yet
			block = block[:len(block)/2]
		case werr != nil:
			return errors.Join(fmt.Errorf("fill: %w", werr), f.Close())
		}
	}
	return f.Close()
}

// CutOff takes away the disk from an offset on: reads there fail, and writes do. What was synced before comes back by the function that is
// returned.
func (v *Volume) CutOff(from int64) (restore func()) {
	v.t.Helper()
	v.syncAll()
	image, err := os.ReadFile(v.image)
	v.must(err)
	v.must(os.Truncate(v.image, from))
	v.FillGround() // so that nothing is written there
	v.DropCaches()
	return func() {
		v.t.Helper()
		v.FreeGround()
		f, err := os.OpenFile(v.image, os.O_WRONLY, 0)
		v.must(err)
		_, err = f.WriteAt(image[from:], from)
		v.must(errors.Join(err, f.Close()))
	}
}
