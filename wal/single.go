package wal

import (
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/vfs"
)

// Single is a log of one segment that grows, and in which every record is synced before Append
// returns. It is for one goroutine at a time.
type Single struct {
	segment *segment
	synced  int64 // bytes known to be on stable storage; 0 before the first record
	err     error // the first failed write or sync; it sticks
}

// SingleOptions describe a Single to be created or recovered; epoch and room are for creating.
type SingleOptions struct {
	FS      vfs.FS
	Path    string
	Purpose Purpose
	Store   uint64
	Number  SegmentNum // stands in the header, so that no other file of the store passes for this one
	CacheID string
	Epoch   uint64 // random
	Room    int64  // first size of the file in bytes
}

// Seal says exactly which bytes a Single consists of.
type Seal struct {
	Length   int64
	Checksum uint64 // xxhash64 of the first Length bytes of the file
}

// CreateSingle makes the file. Its contents are durable after the first Append; its name is not
// until the caller has synced the directory.
func CreateSingle(opts SingleOptions) (*Single, error) {
	log, err := opts.FS.CreateLog(opts.Path)
	if err != nil {
		return nil, err
	}
	err = log.Extend(opts.Room)
	if err == nil {
		var s *segment
		h := header{
			purpose: opts.Purpose, store: opts.Store, number: opts.Number,
			epoch: opts.Epoch, cache: cacheHash(opts.CacheID),
		}
		if s, err = startSegment(opts.Path, log, h); err == nil {
			return &Single{segment: s}, nil
		}
	}
	return nil, errors.Join(err, log.Close(), opts.FS.Remove(opts.Path))
}

// Append writes a record and syncs it. A failure to get more room for the file leaves the log as it
// was, and a later Append may succeed; any other failure sticks, see Err.
func (s *Single) Append(payload []byte) error {
	if s.err != nil {
		return s.err
	}
	if err := s.reserve(len(payload)); err != nil {
		return err
	}
	vouched := Position{} // the first record is synced together with the header
	if s.synced > 0 {
		vouched = Position{Segment: s.segment.header.number, Offset: s.synced}
	}
	s.segment.append(payload, 0, vouched)
	if err := s.segment.flush(true); err != nil {
		s.err = err
		return err
	}
	if err := s.segment.log.Datasync(); err != nil {
		s.err = err
		s.segment.distrust()
		return err
	}
	s.synced = s.segment.end
	return nil
}

// Reserve makes room for a record, so that appending it next cannot fail for want of that. When it
// fails, the log is as before, unless Err says otherwise.
func (s *Single) Reserve(n int) error {
	if s.err != nil {
		return s.err
	}
	return s.reserve(n)
}

// reserve makes room for a record, doubling the file as often as it takes. That it has grown is noted
// in the room it had before, of which enough is always kept, and once the new size is on stable
// storage: so a file that was cut to a former size does not pass for one that had not grown yet.
func (s *Single) reserve(n int) error {
	seg := s.segment
	need := framedLen(1, int64(n)) + framedLen(1, 0)
	had := seg.log.Size()
	size := had
	for seg.end+need > size {
		size *= 2
	}
	if size > maxSegmentLen {
		return fmt.Errorf("%s: grows beyond %d bytes", seg.name, int64(maxSegmentLen))
	}
	if size == had {
		return nil
	}
	if err := seg.log.Extend(size); err != nil {
		return err
	}
	if err := seg.log.Datasync(); err != nil {
		s.err = err
		return err
	}
	seg.appendRoom(size)
	return nil
}

// Size returns how many bytes of the file are in use.
func (s *Single) Size() int64 { return s.segment.end }

// Synced returns how many bytes of the file are known to be on stable storage: up to the end of the last
// record.
func (s *Single) Synced() int64 { return s.synced }

// Err returns the failed write or sync that ended the log, or nil.
func (s *Single) Err() error { return s.err }

// Seal returns the seal of the log as it is now.
func (s *Single) Seal() (Seal, error) {
	if s.err != nil {
		return Seal{}, s.err
	}
	data := make([]byte, s.segment.end)
	if _, err := s.segment.log.ReadAt(data, 0); err != nil && !isEOF(err) {
		return Seal{}, err
	}
	return Seal{Length: s.segment.end, Checksum: xxhash.Sum64(data)}, nil
}

// Close closes the file.
func (s *Single) Close() error { return s.segment.log.Close() }

// RecoverSingle calls replay with each record of a Single. With a seal, the file must be exactly
// what the seal says. Without one, the log ends at the first place where no intact record follows,
// under the rules of [Recover]; as each record vouches for all before it, only the last record can
// be missed, and only if nothing was appended after it.
func RecoverSingle(opts SingleOptions, seal *Seal, replay func(payload []byte) error) error {
	if seal == nil {
		return recoverSingle(opts, -1, nil, replay)
	}
	return recoverSingle(opts, seal.Length, func(s *scanner) error { return checkSeal(s, *seal, opts.Path) }, replay)
}

// RecoverSingleTo is RecoverSingle for a file of which so many bytes were synced, see [Single.Synced], also while more
// is appended.
func RecoverSingleTo(opts SingleOptions, synced int64, replay func(payload []byte) error) error {
	return recoverSingle(opts, synced, nil, replay)
}

// recoverSingle is RecoverSingle; limit is where the last record must end, or -1 when that is not known. check
// may be nil.
func recoverSingle(opts SingleOptions, limit int64, check func(*scanner) error, replay func(payload []byte) error) error {
	h, ok, err := readHeader(opts.FS, opts.Path, opts.Purpose, opts.Store)
	if err != nil {
		return err
	}
	if !ok {
		return corrupt.Errorf("segment header", "is all zeros").At(0).In(opts.Path)
	}
	if h.number != opts.Number {
		return corrupt.Errorf("segment header", "number is %d, want %d", h.number, opts.Number).At(0).In(opts.Path)
	}
	f := found{path: opts.Path, header: h}
	s, err := readSegment(opts.FS, f)
	if err != nil {
		return err
	}
	if check != nil {
		if err := check(s); err != nil {
			return err
		}
	}
	r := recovery{opts: RecoverOptions{FS: opts.FS}, cache: cacheHash(opts.CacheID), chain: []found{f}}
	for limit < 0 || s.off < limit {
		payload, ok := s.next()
		if !ok && limit >= 0 {
			return r.damageAt(f, s.bad, "no intact record, although %d bytes were written", limit)
		}
		if !ok && s.room > int64(len(s.data)) {
			return r.damageAt(f, int64(len(s.data)), "the file ends here, but had grown to %d bytes", s.room)
		}
		if !ok {
			return r.judgeEnd(0, s, -1)
		}
		if limit >= 0 && s.off > limit {
			return r.damageAt(f, s.off, "a record reaches beyond byte %d, where the file was to end", limit)
		}
		if err := replay(payload); err != nil {
			return locate(err, opts.Path, s.start+chunkHeaderLen)
		}
	}
	return nil
}

func checkSeal(s *scanner, seal Seal, path string) error {
	if seal.Length < headerLen || seal.Length > int64(len(s.data)) {
		return corrupt.Errorf("seal", "file has %d bytes, %d were sealed", len(s.data), seal.Length).At(0).In(path)
	}
	if sum := xxhash.Sum64(s.data[:seal.Length]); sum != seal.Checksum {
		return corrupt.Errorf("seal", "checksum of the first %d bytes is %016x, %016x was sealed", seal.Length, sum, seal.Checksum).At(0).In(path)
	}
	return nil
}
