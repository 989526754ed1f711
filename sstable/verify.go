package sstable

import (
	"context"
	"slices"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/vfs"
)

// VerifyOptions say what is known of a table beforehand, and who wants to see what is found. Functions
// may be nil.
type VerifyOptions struct {
	Name string // path of the file, for errors
	ID   uint64 // the table's id; another one in the file is damage

	// Damage is told of everything that is wrong. Its errors match corrupt.ErrCorrupt, unless the file
	// could not be read or is too new.
	Damage func(error)

	// Progress is told how many more bytes of the file were read.
	Progress func(bytes int64)

	// Stated is given what the table says of itself, before anything else is seen; Block, each data
	// block whose contents are intact; Entry, its entries, which hold until Entry returns.
	Stated func(Properties)
	Block  func(BlockInfo)
	Entry  func(*iterator.KV)
}

// BlockInfo describes a data block.
type BlockInfo struct {
	Offset, Length int64 // in the file
	Entries        int
	Compression    Compression
	Separator      key.Internal // as the index has it
}

// Contents is what a table was found to hold.
type Contents struct {
	// Counted is what its properties should be, but for BitsPerKey.
	Counted Properties

	Ranges rangedel.List

	// Whole tells that nothing was left out of Counted and Ranges because of damage.
	Whole bool
}

// Verify reads a whole table file and checks everything in it against everything else: checksums,
// structure, order, index, filter, fingerprints, counts, and the zeros in the gaps. It goes on behind
// damage as far as there is something to go by. It reads by calls of ReadAt alone, into memory of its
// own, so that it sees what the file is now, whatever was verified before, and leaves all caches as they are. The
// file stays open. The error is that of ctx.
func Verify(ctx context.Context, file vfs.Mapping, opts VerifyOptions) (Contents, error) {
	v := &verifier{opts: opts, r: &Reader{opts: ReaderOptions{Name: opts.Name, ID: opts.ID}, mapping: file}}
	v.c.Whole = true
	f, ok := v.footer()
	if !ok {
		return v.c, nil
	}
	v.sections(&f)
	if err := v.blocks(ctx); err != nil {
		return v.c, err
	}
	v.gaps(&f)
	v.compare()
	return v.c, nil
}

// verifier is a verification under way. Of its Reader only those parts are there that were found intact.
type verifier struct {
	opts   VerifyOptions
	r      *Reader
	s      stream
	c      Contents
	stated *Properties // nil when they are damaged

	propsOff int64
	filter   bool   // whether all keys passed it so far
	last     []byte // stored key of the last entry
	trailer  key.Trailer
	dataEnd  int64 // of the last block
}

// damage tells of damage to a part of the file that begins at base, after which the contents are not
// whole any more.
func (v *verifier) damage(err error, base int64) {
	v.c.Whole = false
	v.tell(err, base)
}

// tell tells of damage that hides nothing.
func (v *verifier) tell(err error, base int64) {
	if v.opts.Damage != nil {
		v.opts.Damage(v.r.locate(err, base))
	}
}

func (v *verifier) progress(n int64) {
	if v.opts.Progress != nil {
		v.opts.Progress(n)
	}
}

func (v *verifier) footer() (f footer, ok bool) {
	size := v.r.mapping.Len()
	if size < footerLen {
		v.damage(corrupt.Errorf("table", "file has %d bytes", size).At(0), 0)
		return f, false
	}
	tail, err := v.r.read(size-footerLen, footerLen, passing)
	if err == nil {
		f, err = decodeFooter(tail, size)
	}
	if err == nil && f.id != v.opts.ID {
		err = corrupt.Errorf("table footer", "file is table %016x, want %016x", f.id, v.opts.ID).At(size - footerLen)
	}
	if err != nil {
		v.damage(err, 0)
		return f, false
	}
	if zero := tail[footerSections:footerID]; !allZero(zero) || !allZero(tail[footerVersion+4:footerChecksum]) {
		v.tell(corrupt.Errorf("table footer", "reserved bytes are not zero").At(size-footerLen), 0)
	}
	v.progress(footerLen)
	return f, true
}

// sections verifies the sections and keeps what is intact of them.
func (v *verifier) sections(f *footer) {
	decode := [sectionCount]func(data []byte, h handle) error{
		sectionFilter: func(data []byte, h handle) error {
			if len(data)%filterLineLen != 0 {
				return corrupt.Errorf("filter", "has %d bytes", len(data)).At(0)
			}
			v.r.filter, v.filter = filter(data), len(data) > 0
			return nil
		},
		sectionIndex: func(data []byte, h handle) (err error) {
			v.r.index, err = openIndex(data, f.sections[sectionFilter].off)
			return err
		},
		sectionProperties: func(data []byte, h handle) error {
			props, err := decodeProperties(data)
			if err == nil {
				v.stated, v.propsOff = &props, h.off
			}
			return err
		},
		sectionRangeDels: func(data []byte, h handle) (err error) {
			v.c.Ranges, err = decodeRanges(data, 0)
			return err
		},
	}
	for i, h := range f.sections {
		data, err := v.r.section(h)
		if err != nil {
			v.damage(err, 0)
		} else if err := decode[i](data, h); err != nil {
			v.damage(err, h.off)
		}
		v.progress(h.length)
	}
	if v.stated != nil && v.opts.Stated != nil {
		v.opts.Stated(*v.stated)
	}
}

// gap verifies that there are zeros between two parts of the file, which are less than a cache line
// apart.
func (v *verifier) gap(from, to int64) {
	if to <= from {
		return
	}
	if to-from >= alignment {
		v.tell(corrupt.Errorf("table", "%d bytes belong to no block and no section", to-from).At(from), 0)
		return
	}
	data, err := v.s.bytes(handle{off: from, length: to - from})
	if err == nil && !allZero(data) {
		err = corrupt.Errorf("table", "gap of %d bytes is not zero", to-from).At(from)
	}
	if err != nil {
		v.tell(err, 0)
	}
	v.progress(to - from)
}

// gaps verifies the gaps behind the data blocks. Sections do not overlap what is before them.
func (v *verifier) gaps(f *footer) {
	sections := slices.SortedFunc(slices.Values(f.sections[:]), func(a, b handle) int { return int(min(max(a.off-b.off, -1), 1)) })
	end := v.dataEnd
	if v.r.index.count == 0 && !v.c.Whole {
		end = sections[0].off // the blocks could not be found
	}
	for _, h := range sections {
		if h.off < end {
			v.tell(corrupt.Errorf("table footer", "a section of %d bytes begins at %d, before the end of what is before it", h.length, h.off).
				At(v.r.mapping.Len()-footerLen), 0)
		}
		v.gap(end, h.off)
		end = max(end, h.off+h.length)
	}
	v.gap(end, v.r.mapping.Len()-footerLen)
}

func allZero(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 })
}
