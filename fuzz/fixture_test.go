// Package fuzz holds the fuzz targets: what any bytes can do to a decoder, and any operations to the
// whole engine.
//
//	go test ./fuzz                                     runs the seeds
//	go test ./fuzz -fuzz '^FuzzTable$' -fuzztime 60s   looks for more
//	make fuzz                                          looks for more with every target
//
// Whatever the bytes, a decoder must not panic, hang, or take memory that the input does not pay for;
// and every error matches corrupt.ErrCorrupt or corrupt.ErrTooNew. What a decoder accepts must mean the
// same when it is encoded and decoded again. Checksums stop nearly every mutation, so the files that
// have them come in two variants: as they are, and with the checksums made right again.
//
// A finding becomes a named test of the package that it is about.
package fuzz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"runtime/metrics"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/sstable"
	"github.com/tinykv/tinykv/vfs"
)

// wellBehaved runs a decoder and wants the memory that it takes to be in proportion to its input.
func wellBehaved(t *testing.T, inputBytes int, decode func() error) {
	t.Helper()
	before := allocated()
	err := decode()
	if took, most := allocated()-before, uint64(16*inputBytes+64<<20); took > most {
		t.Errorf("%d bytes of input took %d bytes of memory", inputBytes, took)
	}
	if err != nil && !errors.Is(err, corrupt.ErrCorrupt) && !errors.Is(err, corrupt.ErrTooNew) {
		t.Errorf("neither ErrCorrupt nor ErrTooNew: %v", err)
	}
}

// allocated returns how much memory was ever taken.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// files is a file system of finished files, for readers alone.
type files struct {
	vfs.FS
	contents map[string][]byte
}

func (f *files) Open(name string) (vfs.File, error) {
	data, ok := f.contents[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &file{Reader: bytes.NewReader(data)}, nil
}

type file struct {
	vfs.File
	*bytes.Reader
}

func (f *file) ReadAt(p []byte, off int64) (int, error) { return f.Reader.ReadAt(p, off) }
func (f *file) Size() (int64, error)                    { return f.Reader.Size(), nil }
func (f *file) Close() error                            { return nil }

// mapping is a file as memory; one that copies has none to lend.
type mapping struct {
	*bytes.Reader
	data   []byte
	copies bool
}

func (m *mapping) Bytes() []byte {
	if m.copies {
		return nil
	}
	return m.data
}

func (m *mapping) Len() int64                  { return int64(len(m.data)) }
func (m *mapping) Populate(int64, int64) error { return nil }

func (m *mapping) Announce(int64, int64) {}
func (m *mapping) Close() error          { return nil }

// contents returns the bytes of a file.
func contents(fsys vfs.FS, name string) []byte {
	m, err := fsys.Map(name)
	if err != nil {
		panic(err)
	}
	return bytes.Clone(m.Bytes())
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Sizes and places of the log format, see package wal.
const (
	segmentHeaderLen = 128
	segmentBlockLen  = 32 << 10
	chunkHeaderLen   = 16
)

// sealSegment returns a log file whose checksums are right again: that of the header, and those of
// the chunks for as long as one follows another.
func sealSegment(data []byte) []byte {
	if len(data) < segmentHeaderLen {
		return data
	}
	data = bytes.Clone(data)
	copy(data, "tinykvlg")
	binary.LittleEndian.PutUint64(data[120:], xxhash.Sum64(data[:120]))
	epoch := binary.LittleEndian.Uint64(data[32:])
	for off := segmentHeaderLen; ; {
		if left := segmentBlockLen - off%segmentBlockLen; left < chunkHeaderLen {
			off += left
		}
		end := min(len(data), off-off%segmentBlockLen+segmentBlockLen)
		if off+chunkHeaderLen > end {
			return data
		}
		n := int(binary.LittleEndian.Uint16(data[off+8:]))
		if off+chunkHeaderLen+n > end || data[off+10] == 0 {
			return data
		}
		sum := xxhash.Sum64(data[off+8:off+chunkHeaderLen+n]) ^ segmentSalt(epoch, int64(off))
		binary.LittleEndian.PutUint64(data[off:], sum)
		off += chunkHeaderLen + n
	}
}

func segmentSalt(epoch uint64, off int64) uint64 {
	x := (epoch ^ uint64(off)*0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	return x ^ x>>32
}

// sealTable returns a table file whose checksums are right again, as far as its footer and index lead.
func sealTable(data []byte) []byte {
	const footerLen, sections = 160, 4
	if len(data) < footerLen {
		return data
	}
	data = bytes.Clone(data)
	footer := data[len(data)-footerLen:]
	id := binary.LittleEndian.Uint64(footer[128:])
	within := func(off, n uint64) bool { return off <= uint64(len(data)) && n <= uint64(len(data))-off }
	section := func(i int) (off, n uint64) {
		return binary.LittleEndian.Uint64(footer[24*i:]), binary.LittleEndian.Uint64(footer[24*i+8:])
	}
	eachBlock(data, func(b []byte) {
		at := int64(cap(data) - cap(b))
		binary.LittleEndian.PutUint64(b, xxhash.Sum64(b[8:])^tableSalt(id, at))
	})
	for i := range sections {
		if off, n := section(i); within(off, n) {
			binary.LittleEndian.PutUint64(footer[24*i+16:], xxhash.Sum64(data[off:off+n])^tableSalt(id, int64(off)))
		}
	}
	binary.LittleEndian.PutUint64(footer[144:], xxhash.Sum64(footer[:144])^tableSalt(id, 0))
	copy(footer[152:], "tinykvst")
	return data
}

// eachBlock calls fn with the data blocks of a table file, as far as its footer and index lead.
func eachBlock(data []byte, fn func(b []byte)) {
	const footerLen = 160
	if len(data) < footerLen {
		return
	}
	footer := data[len(data)-footerLen:]
	off, n := binary.LittleEndian.Uint64(footer[24:]), binary.LittleEndian.Uint64(footer[32:])
	within := func(off, n uint64) bool { return off <= uint64(len(data)) && n <= uint64(len(data))-off }
	if !within(off, n) || n < 16 {
		return
	}
	index := data[off : off+n]
	for i := range min(uint64(binary.LittleEndian.Uint32(index)), (n-16)/16) {
		e := index[16+16*i+8:]
		at, size := uint64(binary.LittleEndian.Uint32(e))*64, uint64(binary.LittleEndian.Uint32(e[4:]))
		if size >= 8 && within(at, size) {
			fn(data[at : at+size])
		}
	}
}

func tableSalt(id uint64, off int64) uint64 {
	x := (id ^ uint64(off)*0xd6e8feb86659fd93) * 0xa0761d6478bd642f
	return x ^ x>>32
}

func TestSealing_ChangesNothingInAnIntactFile(t *testing.T) {
	all, _ := segments(5, -900, 0, 40_000, -3)
	for _, s := range stores() {
		all = append(all, s[1])
	}
	for i, data := range all {
		if !bytes.Equal(sealSegment(data), data) {
			t.Errorf("log file %d", i)
		}
	}
	for c := range sstable.Zstd + 1 {
		if data := compressed(c, 100, 10, numbered(20, "value")); !bytes.Equal(sealTable(data), data) {
			t.Errorf("table with compression %d", c)
		}
	}
}
