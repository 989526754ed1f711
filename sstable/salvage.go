package sstable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/onebit"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/vfs"
)

// SalvageOptions say what is known of a table beforehand, and who is told of what is lost.
type SalvageOptions struct {
	Name    string // path of the file, for errors
	ID      uint64 // the table's id; a file with another one is lost
	SeqBase key.SeqNum

	// Lost is told of each part that cannot be read, before any entry behind it is handed out.
	Lost func(Loss)

	// Progress is told how many more bytes of the file were read.
	Progress func(bytes int64)

	// Mend is the budget for putting damaged parts right of which perhaps one bit was flipped; nil for
	// none. Mended is told of each part of which that was so.
	Mend   *onebit.Budget
	Mended func(error)
}

// Loss is a part of a table that cannot be read.
type Loss struct {
	Err error // matches corrupt.ErrCorrupt, unless the file could not be read or is too new

	// Entries and Ranges tell what may have been in it: entries, range tombstones. Neither: nothing that
	// counts.
	Entries, Ranges bool

	// Lower and Upper bound the stored keys of what was in it: from the first up to, but without, the
	// second. Nil is where the table begins, or ends.
	Lower, Upper []byte
}

// Salvager hands out the entries of a table file that are intact, in order, and tells of the rest. It trusts
// nothing that no checksum covers, and no block that contradicts its neighbours or the index. It reads
// by calls of ReadAt alone and leaves the file open. The filter, which says nothing new, is not looked at.
type Salvager struct {
	opts   SalvageOptions
	v      verifier
	ranges rangedel.List
	shift  key.Trailer // adds the sequence base

	at   int // data block to be read next
	b    block
	i    int // entry of b to be handed out next
	kv   iterator.KV
	read uint64 // entries handed out
}

// Salvage begins with a file.
func Salvage(file vfs.Mapping, opts SalvageOptions) *Salvager {
	s := &Salvager{opts: opts, shift: key.MakeTrailer(opts.SeqBase, 0)}
	failed := error(nil)
	s.v = verifier{
		r: &Reader{opts: ReaderOptions{Name: opts.Name, ID: opts.ID}, mapping: file},
		opts: VerifyOptions{
			Name: opts.Name, ID: opts.ID,
			Damage: func(err error) { failed = err }, Progress: opts.Progress,
		},
	}
	f, ok := s.v.footer()
	if !ok {
		f, ok = s.mendFooter(failed)
	}
	if !ok {
		opts.Lost(Loss{Err: failed, Entries: true, Ranges: true})
		return s
	}
	s.sections(&f)
	return s
}

// sections reads those that are needed to read the rest.
func (s *Salvager) sections(f *footer) {
	s.section(f, sectionProperties, Loss{}, func(data []byte) error {
		props, err := decodeProperties(data)
		if err == nil {
			s.v.stated = &props
		}
		return err
	})
	s.section(f, sectionRangeDels, Loss{Ranges: true}, func(data []byte) (err error) {
		s.ranges, err = decodeRanges(data, s.opts.SeqBase)
		return err
	})
	s.section(f, sectionIndex, Loss{Entries: true}, func(data []byte) (err error) {
		s.v.r.index, err = openIndex(data, f.sections[sectionFilter].off)
		return err
	})
	if s.v.stated == nil || s.v.stated.Compressed > 0 {
		s.v.r.packed = make([]atomic.Uint64, 1) // see verifier.blocks
	}
	s.v.s = stream{r: s.v.r, file: s.v.r.mapping}
}

// section reads a section, or tells what is lost with it.
func (s *Salvager) section(f *footer, which int, lost Loss, decode func(data []byte) error) {
	h := f.sections[which]
	data, err := s.v.r.section(h)
	if err != nil {
		data, err = s.mendSection(h, err)
	}
	if err == nil {
		err = corrupt.Locate(decode(data), s.opts.Name, h.off)
	}
	s.v.progress(h.length)
	if err != nil {
		lost.Err = s.v.r.locate(err, 0)
		s.opts.Lost(lost)
	}
}

// Stated returns what the table says of itself, if that can be read.
func (s *Salvager) Stated() (Properties, bool) {
	if s.v.stated == nil {
		return Properties{}, false
	}
	return *s.v.stated, true
}

// Ranges returns the range tombstones that can be read. They stay valid.
func (s *Salvager) Ranges() rangedel.List { return s.ranges }

// Bounds returns stored keys at or before, and before which, all entries and range tombstones lie that can be read.
// Both are nil when there is nothing, and lower is empty when it is not known.
func (s *Salvager) Bounds() (lower, upper []byte) {
	if n := s.v.r.index.count; n > 0 {
		lower, upper = []byte{}, behind(s.v.r.index.separator(n-1).Stored)
		if s.v.stated != nil {
			lower = bytes.Clone(s.v.stated.Smallest.Stored)
		}
	}
	if n := len(s.ranges); n > 0 {
		if lower == nil || bytes.Compare(s.ranges[0].Lower, lower) < 0 {
			lower = s.ranges[0].Lower
		}
		if bytes.Compare(s.ranges[n-1].Upper, upper) > 0 {
			upper = s.ranges[n-1].Upper
		}
	}
	return lower, upper
}

// Read returns how many entries were handed out.
func (s *Salvager) Read() uint64 { return s.read }

// Next returns the next intact entry, or nil when there is none. It holds until the next call.
func (s *Salvager) Next() *iterator.KV {
	for s.i == s.b.count {
		if s.at == s.v.r.index.count {
			return nil
		}
		s.enter(s.at)
		s.at++
	}
	s.b.entry(s.i, &s.kv)
	s.kv.Trailer += s.shift
	s.i++
	s.read++
	return &s.kv
}

// enter turns to data block i, or tells that it is lost.
func (s *Salvager) enter(i int) {
	s.b, s.i = block{}, 0
	h := s.v.r.index.block(i)
	b, err := s.v.s.block(i, passing)
	if err != nil {
		b, err = s.mendBlock(i, h, err)
	}
	if err == nil {
		err = s.sound(i, h, &b)
	}
	s.v.progress(h.length)
	if err == nil {
		s.b = b
		return
	}
	lost := Loss{Err: err, Entries: true, Upper: behind(s.v.r.index.separator(i).Stored)}
	if i > 0 {
		lost.Lower = s.first(s.v.r.index.separator(i - 1))
	}
	s.opts.Lost(lost)
}

// sound verifies the entries of a block against each other, the index and the blocks before.
func (s *Salvager) sound(i int, h handle, b *block) error {
	counted, last, trailer := s.v.c.Counted, bytes.Clone(s.v.last), s.v.trailer
	var kv iterator.KV
	for n := range b.count {
		b.entry(n, &kv)
		if what := s.v.entry(i, n, b, &kv); what != "" {
			s.v.c.Counted, s.v.last, s.v.trailer = counted, last, trailer
			return s.v.r.locate(corrupt.Errorf("data block", "entry %d, %v, %s", n, kv.Key(), what).At(h.off), 0)
		}
		s.v.count(&kv)
	}
	return nil
}

// first returns the least stored key that may follow on a separator: its own where the versions of a key
// stand in two blocks.
func (s *Salvager) first(separator key.Internal) []byte {
	if separator.Trailer == key.MinTrailer {
		return behind(separator.Stored)
	}
	return bytes.Clone(separator.Stored)
}

// behind returns the least byte string behind a stored key.
func behind(stored []byte) []byte { return append(bytes.Clone(stored), 0) }

// mendFooter tries every bit.
func (s *Salvager) mendFooter(failed error) (f footer, ok bool) {
	size := s.v.r.mapping.Len()
	if size < footerLen || s.opts.Mend == nil || errors.Is(failed, corrupt.ErrTooNew) {
		return f, false
	}
	tail, err := s.v.r.read(size-footerLen, footerLen, passing)
	if err != nil {
		return f, false
	}
	for bit := range 8 * footerLen {
		onebit.Flip(tail, bit)
		if f, err = decodeFooter(tail, size); err == nil && f.id == s.opts.ID {
			s.mended("table footer", size-footerLen)
			return f, true
		}
		onebit.Flip(tail, bit)
	}
	return f, false
}

// mendSection returns a section put right, or the error that it failed with.
func (s *Salvager) mendSection(h handle, failed error) ([]byte, error) {
	if s.opts.Mend == nil || !errors.Is(failed, corrupt.ErrCorrupt) {
		return nil, failed
	}
	data, err := s.v.r.read(h.off, h.length, passing)
	if err != nil {
		return nil, failed
	}
	bit, ok := s.opts.Mend.Find(data, h.checksum^salt(s.opts.ID, h.off))
	if !ok {
		return nil, failed
	}
	onebit.Flip(data, bit)
	s.mended("table section", h.off)
	return data, nil
}

// mendBlock returns a data block put right, or the error that it failed with.
func (s *Salvager) mendBlock(i int, h handle, failed error) (block, error) {
	data, err := s.v.s.bytes(h)
	if s.opts.Mend == nil || err != nil || checkSum(data, s.opts.ID, h.off) == nil {
		return block{}, failed
	}
	bit, ok := s.opts.Mend.Find(data[8:], binary.LittleEndian.Uint64(data)^salt(s.opts.ID, h.off))
	if !ok {
		return block{}, failed
	}
	onebit.Flip(data[8:], bit) // in memory of the stream alone
	binary.LittleEndian.PutUint64(data, xxhash.Sum64(data[8:])^salt(s.opts.ID, h.off))
	s.mended("data block", h.off)
	return s.v.s.block(i, passing)
}

func (s *Salvager) mended(what string, off int64) {
	s.opts.Mended(corrupt.Errorf(what, "one bit was flipped").At(off).In(s.opts.Name))
}

// IsTooNew tells whether what is lost is not damaged, but of a newer format.
func (l *Loss) IsTooNew() bool { return errors.Is(l.Err, corrupt.ErrTooNew) }
