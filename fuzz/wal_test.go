package fuzz

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/wal"
)

const (
	store   = 7
	cacheID = "the cache"
)

// segments makes a log of several segments and returns their files. Sizes are of records, in order; 0
// begins a segment, a negative one has a sync follow.
func segments(sizes ...int) (all [][]byte, records [][]byte) {
	fsys := vfs.NewMem()
	n := uint64(0)
	log, err := wal.Create(wal.Options{
		FS: fsys, Dir: "/", Store: store, CacheID: cacheID, First: 1, Mark: 0,
		NewName:  func() string { n++; return fmt.Sprint(n) },
		NewEpoch: func() uint64 { return 0x1234567 * (n + 1) }, FirstSegmentBytes: 512, MaxSegmentBytes: 512,
	})
	must(err)
	for _, size := range sizes {
		if size == 0 {
			_, err := log.Rotate()
			must(err)
			continue
		}
		record := bytes.Repeat([]byte{byte('a' + len(records))}, max(size, -size))
		records = append(records, record)
		must(log.Reserve(1, int64(len(record))))
		log.Append(record, uint64(len(records)))
		must(log.Flush(size < 0))
	}
	must(log.Close())
	for i := range n {
		all = append(all, contents(fsys, "/"+fmt.Sprint(i+1)))
	}
	return all, records
}

// replay recovers a log of some files.
func replay(cache string, first uint64, exists bool, all ...[]byte) (records [][]byte, err error) {
	fsys := &files{contents: map[string][]byte{}}
	var paths []string
	for i, data := range all {
		name := fmt.Sprintf("%d.wal", i)
		fsys.contents[name] = data
		paths = append(paths, name)
	}
	found, err := wal.Recover(wal.RecoverOptions{
		FS: fsys, Paths: paths, Store: store, CacheID: cache, First: wal.SegmentNum(first), FirstExists: exists,
	}, func(payload []byte) (uint64, error) {
		records = append(records, bytes.Clone(payload))
		return uint64(len(records)), nil
	})
	if err == nil && found.Records != len(records) {
		return nil, fmt.Errorf("%d records counted, %d replayed", found.Records, len(records))
	}
	return records, err
}

func addSegments(f *testing.F) {
	for _, sizes := range [][]int{
		{5}, {5, -5, 5}, {-5, 0, 5, -6}, {-5, 0, 0, 7}, {-33_000, 3}, {100, 0, -90, 5, 0, 3},
	} {
		all, _ := segments(sizes...)
		all = append(all, nil)
		f.Add(all[0], all[1], true)
		f.Add(all[len(all)-2], all[0], false)
	}
}

func FuzzSegment(f *testing.F) {
	addSegments(f)
	f.Fuzz(func(t *testing.T, a, b []byte, cached bool) { recoverAny(t, a, b, cached) })
}

func FuzzSegmentSealed(f *testing.F) {
	addSegments(f)
	f.Fuzz(func(t *testing.T, a, b []byte, cached bool) {
		recoverAny(t, sealSegment(a), sealSegment(b), cached)
	})
}

func recoverAny(t *testing.T, a, b []byte, cached bool) {
	cache := "another"
	if cached {
		cache = cacheID
	}
	for _, first := range []uint64{1, 2} {
		wellBehaved(t, len(a)+len(b), func() error {
			records, err := replay(cache, first, cached, a, b)
			total := 0
			for _, r := range records {
				total += len(r)
			}
			if total > len(a)+len(b) {
				t.Errorf("%d bytes of records in %d bytes of files", total, len(a)+len(b))
			}
			return err
		})
	}
	wellBehaved(t, len(a), func() error {
		_, err := wal.HoldsRecords(&files{contents: map[string][]byte{"a": a}}, "a")
		return err
	})
	wellBehaved(t, len(a), func() error {
		end := int64(0)
		return wal.Inspect(&files{contents: map[string][]byte{"a": a}}, "a", func(wal.SegmentInfo) error { return nil }, func(p wal.Part) error {
			if p.Offset < end || p.End <= p.Offset || p.End > int64(len(a)) {
				t.Errorf("a part from %d to %d behind one that ends at %d, of %d bytes", p.Offset, p.End, end, len(a))
			}
			end = p.End
			return nil
		})
	})
}

// FuzzLogDamage damages a log in one place and cuts it in another. What is recovered then is what was
// written, up to some record, or an error.
func FuzzLogDamage(f *testing.F) {
	f.Add([]byte{5, 0x85, 5, 0, 30, 0x81}, uint32(200), byte(1), uint32(1<<20), false)
	f.Add([]byte{200, 0, 0, 7, 0x90, 250}, uint32(2100), byte(0x80), uint32(300), true)
	f.Fuzz(func(t *testing.T, script []byte, at uint32, flip byte, length uint32, cached bool) {
		sizes := make([]int, 0, len(script))
		for _, b := range script[:min(len(script), 40)] {
			size := int(b&0x7f) * int(b&0x7f)
			if b&0x80 != 0 {
				size = -size
			}
			sizes = append(sizes, size)
		}
		all, want := segments(sizes...)
		total := uint32(0)
		for _, data := range all {
			total += uint32(len(data))
		}
		at, length = at%total, length%(total+1)
		for i, data := range all {
			if n := uint32(len(data)); at < n {
				data[at] ^= flip
				at = 1 << 31
			} else {
				at -= n
			}
			if n := uint32(len(data)); length < n {
				all[i] = data[:length]
				length = 1 << 31
			} else {
				length -= n
			}
		}
		cache := "another"
		if cached {
			cache = cacheID
		}
		got, err := replay(cache, 1, true, all...)
		if err != nil {
			return
		}
		if len(got) > len(want) {
			t.Fatalf("%d records, %d were written", len(got), len(want))
		}
		for i, r := range got {
			if !bytes.Equal(r, want[i]) {
				t.Fatalf("record %d of %d bytes is not the one of %d bytes that was written", i, len(r), len(want[i]))
			}
		}
	})
}
