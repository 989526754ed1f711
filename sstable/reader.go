package sstable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/blockcache"
	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/vfs"
)

// ReaderOptions say what is known of a table beforehand.
type ReaderOptions struct {
	Name string // path of the file, for errors
	ID   uint64 // the table's id; another one in the file is corruption

	// SeqBase is added to every sequence number of the table.
	SeqBase key.SeqNum

	// Residency is shared by all tables of a store; nil stands for memory that is never short.
	Residency *Residency

	// Cache keeps decompressed blocks; nil keeps none. Whoever reads sees to it that the cache is not
	// closed meanwhile.
	Cache *blockcache.Cache
}

// Reader reads a table. All its methods but Close may be called concurrently. Slices that it lends
// lie in the mapping and hold until Close, or in a decompressed block, whose memory is never used
// for anything else: they hold as well.
type Reader struct {
	// Fixed after open.
	opts    ReaderOptions
	mapping vfs.Mapping
	view    []byte // the mapping's bytes; nil when blocks must be copied
	index   index
	filter  filter
	props   Properties
	ranges  rangedel.List

	// Atomic.
	verified []atomic.Uint64 // one bit per data block: passed checkBlock
	packed   []atomic.Uint64 // one bit per verified data block: is stored compressed; nil when none is
	touched  []atomic.Uint32 // one epoch per region, see Residency
}

// NewReader opens a table and takes over the mapping, which it closes with the table and when it
// fails. It verifies footer, index, filter and properties; data blocks are verified when they are
// first touched.
func NewReader(mapping vfs.Mapping, opts ReaderOptions) (*Reader, error) {
	r := &Reader{opts: opts, mapping: mapping, view: mapping.Bytes()}
	if err := r.open(); err != nil {
		return nil, errors.Join(r.locate(err, 0), mapping.Close())
	}
	return r, nil
}

func (r *Reader) open() (err error) {
	defer r.endGuard(debug.SetPanicOnFault(true), &err)
	size := r.mapping.Len()
	if size < footerLen {
		return corrupt.Errorf("table", "file has %d bytes", size).At(0)
	}
	r.touched = make([]atomic.Uint32, (size+regionLen-1)/regionLen)
	tail, err := r.read(size-footerLen, footerLen, passing)
	if err != nil {
		return err
	}
	f, err := decodeFooter(tail, size)
	if err != nil {
		return err
	}
	if f.id != r.opts.ID {
		return corrupt.Errorf("table footer", "file is table %016x, want %016x", f.id, r.opts.ID).At(size - footerLen)
	}
	return r.openSections(&f)
}

func (r *Reader) openSections(f *footer) error {
	data := make([][]byte, sectionCount)
	for i, h := range f.sections {
		var err error
		if data[i], err = r.section(h); err != nil {
			return err
		}
	}
	if len(data[sectionFilter])%filterLineLen != 0 {
		return corrupt.Errorf("filter", "has %d bytes", len(data[sectionFilter])).At(f.sections[sectionFilter].off)
	}
	r.filter = filter(data[sectionFilter])
	var err error
	if r.index, err = openIndex(data[sectionIndex], f.sections[sectionFilter].off); err != nil {
		return r.locate(err, f.sections[sectionIndex].off)
	}
	if r.props, err = decodeProperties(data[sectionProperties]); err != nil {
		return r.locate(err, f.sections[sectionProperties].off)
	}
	if (r.index.count == 0) != (r.props.Entries == 0) {
		return corrupt.Errorf("index", "%d blocks for %d entries", r.index.count, r.props.Entries).At(f.sections[sectionIndex].off)
	}
	if r.ranges, err = decodeRanges(data[sectionRangeDels], r.opts.SeqBase); err != nil {
		return r.locate(err, f.sections[sectionRangeDels].off)
	}
	r.verified = make([]atomic.Uint64, (r.index.count+63)/64)
	if r.props.Compressed > 0 {
		r.packed = make([]atomic.Uint64, len(r.verified))
	}
	return nil
}

// section reads and verifies a section.
func (r *Reader) section(h handle) ([]byte, error) {
	data, err := r.read(h.off, h.length, passing)
	if err != nil {
		return nil, err
	}
	if sum := xxhash.Sum64(data) ^ salt(r.opts.ID, h.off); sum != h.checksum {
		return nil, corrupt.Errorf("table section", "checksum is %016x, want %016x", sum, h.checksum).At(h.off)
	}
	return data, nil
}

// read returns a range of the file: a part of the view, brought into memory, or a copy.
func (r *Reader) read(off, n int64, why access) ([]byte, error) {
	if r.view != nil {
		if err := r.populate(off, n, why); err != nil {
			return nil, r.readError(err, off)
		}
		return r.view[off : off+n : off+n], nil
	}
	if !sliceable(n) {
		return nil, corrupt.Errorf("table", "%d bytes in one piece are more than this machine can hold", n).At(off)
	}
	data := make([]byte, n)
	if got, err := r.mapping.ReadAt(data, off); int64(got) < n {
		if err == nil {
			err = io.EOF
		}
		return nil, r.readError(err, off+int64(got))
	}
	return data, nil
}

// populate makes sure that the regions of a range were touched lately.
func (r *Reader) populate(off, n int64, why access) error {
	res := r.opts.Residency
	if res == nil {
		return nil
	}
	alone := why == sought && res.scarce()
	for region := off / regionLen; region*regionLen < off+n; region++ {
		t := &r.touched[region]
		seen := t.Load()
		now, cold := res.cold(seen)
		if cold && alone {
			return r.mapping.Populate(off, n)
		}
		if cold {
			if err := r.mapping.Populate(region*regionLen, regionLen); err != nil {
				return err
			}
			res.touch()
		}
		if seen != now {
			t.Store(now)
		}
	}
	return nil
}

// locate names the file in an error about its contents and shifts the offset in it by base.
func (r *Reader) locate(err error, base int64) error {
	if errors.Is(err, corrupt.ErrTooNew) {
		return fmt.Errorf("%s: %w", r.opts.Name, err)
	}
	return corrupt.Locate(err, r.opts.Name, base)
}

// access says why a block is wanted.
type access int

const (
	// passing: a cursor went on to it from the block beside it. It is looked for in the cache but does
	// not get in, so that going over a table does not drive out what is asked for again and again.
	passing access = iota

	// sought: a key was looked up.
	sought
)

// block returns data block i, verified.
func (r *Reader) block(i int, why access) (block, error) {
	if r.packed != nil {
		return r.mixed(i, why)
	}
	h := r.index.block(i)
	data, err := r.read(h.off, h.length, why)
	if err != nil {
		return block{}, r.locate(err, 0)
	}
	if !r.isVerified(i) {
		if err := r.verify(i, h, data); err != nil {
			return block{}, err
		}
	}
	return makeBlock(data, r.opts.SeqBase), nil
}

// isVerified tells whether data block i lies in the view and passed checkBlock.
func (r *Reader) isVerified(i int) bool {
	return r.view != nil && r.verified[i/64].Load()&(1<<(i%64)) != 0
}

// verify checks data block i, which is not compressed, and remembers that it passed.
func (r *Reader) verify(i int, h handle, data []byte) error {
	if err := checkBlock(data, r.opts.ID, h.off); err != nil {
		return r.locate(err, 0)
	}
	if err := r.index.checkPlace(i, data); err != nil {
		return r.locate(err, 0)
	}
	r.verified[i/64].Or(1 << (i % 64))
	return nil
}

// mixed is block for a table some of whose blocks are stored compressed. Tables without any have a
// path of their own, so that they do not pay for this one.
func (r *Reader) mixed(i int, why access) (block, error) {
	h := r.index.block(i)
	if raw := r.cached(i, h); raw != nil {
		return makeBlock(raw, r.opts.SeqBase), nil
	}
	data, err := r.read(h.off, h.length, why)
	if err != nil {
		return block{}, r.locate(err, 0)
	}
	if isPacked(data) {
		return r.unpack(i, h, data, why)
	}
	if !r.isVerified(i) {
		if err := r.verify(i, h, data); err != nil {
			return block{}, err
		}
	}
	return makeBlock(data, r.opts.SeqBase), nil
}

// cached returns data block i decompressed, if it is one of those that are stored compressed and in
// the cache. The file is not touched.
func (r *Reader) cached(i int, h handle) []byte {
	if !r.isPacked(i) {
		return nil
	}
	return r.opts.Cache.Get(r.opts.ID, h.off)
}

// isPacked tells whether data block i was verified and is stored compressed.
func (r *Reader) isPacked(i int) bool {
	return r.packed != nil && r.packed[i/64].Load()&(1<<(i%64)) != 0
}

// unpack returns data block i, which is stored compressed in data. Its checksum is verified each
// time, its structure, which follows from the same bytes, the first time.
func (r *Reader) unpack(i int, h handle, data []byte, why access) (block, error) {
	word, bit := &r.packed[i/64], uint64(1)<<(i%64)
	first := word.Load()&bit == 0
	if first { // that it is compressed was not known, so it was not looked for yet
		if raw := r.opts.Cache.Get(r.opts.ID, h.off); raw != nil {
			return makeBlock(raw, r.opts.SeqBase), nil
		}
	}
	raw, err := unpack(nil, data, r.opts.ID, h.off)
	if err != nil {
		return block{}, r.locate(err, 0)
	}
	if first {
		err := checkStructure(raw, h.off)
		if err == nil {
			err = r.index.checkPlace(i, raw)
		}
		if err != nil {
			return block{}, r.locate(err, 0)
		}
		word.Or(bit)
	}
	if why == sought {
		r.opts.Cache.Put(r.opts.ID, h.off, raw)
	}
	return makeBlock(raw, r.opts.SeqBase), nil
}

// MayContain reports whether the filter lets a key with this hash pass; false is certain.
func (r *Reader) MayContain(hash uint64) bool { return r.filter.mayContain(hash) }

// HasFilter tells whether the table has a filter; without one, every key passes.
func (r *Reader) HasFilter() bool { return len(r.filter) > 0 }

// Get returns the newest entry of a stored key at or behind the trailer, which is a
// [key.SeekTrailer]. hash is the [Hash] of the stored key. It does not ask the filter.
func (r *Reader) Get(stored []byte, hash uint64, trailer key.Trailer) (value []byte, found key.Trailer, ok bool, err error) {
	i := r.index.seekGE(stored, storedTrailer(trailer, r.opts.SeqBase))
	if i == r.index.count {
		return nil, 0, false, nil
	}
	b, err := r.block(i, sought)
	if err != nil {
		return nil, 0, false, err
	}
	value, found, ok = b.get(stored, hash, trailer)
	return value, found, ok, nil
}

// storedTrailer turns a trailer to seek for into one that does not count the sequence base, as
// separators have it.
func storedTrailer(t key.Trailer, base key.SeqNum) key.Trailer {
	if t.Seq() < base {
		return key.MinTrailer // behind all entries of its key
	}
	return t - key.Trailer(base)<<8
}

// Properties returns what the table says about itself.
func (r *Reader) Properties() Properties { return r.props }

// Size returns the length of the file in bytes.
func (r *Reader) Size() int64 { return r.mapping.Len() }

// Close gives up the mapping. Nothing that the Reader lent may be touched any more.
func (r *Reader) Close() error { return r.mapping.Close() }

// ReadID returns the id that a table file states, without verifying anything.
func ReadID(m vfs.Mapping) (uint64, error) {
	var b [8]byte
	if m.Len() < footerLen {
		return 0, corrupt.Errorf("table", "file has %d bytes", m.Len()).At(0)
	}
	if _, err := m.ReadAt(b[:], m.Len()-footerLen+footerID); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}
