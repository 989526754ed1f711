package wal

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// inspect returns what a segment file holds, in words.
func inspect(t *testing.T, fsys *simfs.FS, path string) (SegmentInfo, string, error) {
	t.Helper()
	var info SegmentInfo
	var words []string
	err := Inspect(fsys, path, func(s SegmentInfo) error { info = s; return nil }, func(p Part) error {
		if p.Damaged {
			words = append(words, fmt.Sprintf("damage(%d-%d)", p.Offset, p.End))
		} else {
			words = append(words, string(p.Payload))
		}
		return nil
	})
	return info, strings.Join(words, " "), err
}

func TestInspect_GoesOnBehindDamage(t *testing.T) {
	j := begin(t, "put a bb ccc; sync")
	fsys := j.killed()
	info, words, err := inspect(t, fsys, "/db/000001.wal")
	same(t, fmt.Sprint(words, err, info.Purpose, info.Number, info.PrevLength), "a bb ccc<nil> 1 1 0")

	change := func(off int64) {
		t.Helper()
		data, err := readAll(fsys, "/db/000001.wal")
		must(t, err)
		data[off] ^= 1
		must(t, fsys.Remove("/db/000001.wal"))
		f, err := fsys.Create("/db/000001.wal")
		must(t, err)
		_, err = f.Write(data)
		must(t, err)
		must(t, f.Close())
	}
	second := int64(headerLen + chunkHeaderLen + 1)
	change(second)
	_, words, err = inspect(t, fsys, "/db/000001.wal")
	same(t, fmt.Sprint(words, err), fmt.Sprintf("a damage(%d-%d) ccc<nil>", second, second+chunkHeaderLen+2))
	change(3)
	if _, _, err = inspect(t, fsys, "/db/000001.wal"); !errors.Is(err, corrupt.ErrCorrupt) {
		t.Errorf("header: %v", err)
	}
}

func TestInspect_OfAFileThatWasNeverUsed(t *testing.T) {
	fsys := simfs.New()
	must(t, fsys.MkdirAll("/db"))
	l, err := fsys.CreateLog("/db/000001.wal")
	must(t, err)
	must(t, l.Extend(4096))
	must(t, l.Close())
	info, words, err := inspect(t, fsys, "/db/000001.wal")
	same(t, fmt.Sprintf("%+v %q %v", info.NeverUsed, words, err), `true "" <nil>`)
}
