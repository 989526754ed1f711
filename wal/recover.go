package wal

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/vfs"
)

// RecoverOptions say which log to replay.
type RecoverOptions struct {
	FS      vfs.FS
	Paths   []string // every log file in the directory, in any order
	Store   uint64
	CacheID string // vfs.FS.CacheID of the directory, now

	// First is the oldest segment that is needed; files of older ones are ignored.
	First SegmentNum

	// FirstExists says that segment First was known to be on stable storage. Otherwise the log may
	// be empty.
	FirstExists bool
}

// Recovered tells what a replay found.
type Recovered struct {
	Records int
	Bytes   int64      // of the records
	Last    SegmentNum // highest segment number seen in any file; a new log begins behind it
	Needed  []string   // paths of the segments that are part of the log, or were meant to be
	End     Position   // behind the last record; zero when there was none to read
}

// Recover calls replay with each record of a log, oldest first. replay returns the record's mark;
// the payload holds until it returns. An error of replay ends the recovery and is returned. With an
// error comes what was found until then.
//
// The log ends at the first place where no intact record continues it. Where a crash can explain
// that, it is the end: records behind it, if any, were never acknowledged as durable and are
// ignored. Damage that no crash explains is reported as corruption and nothing may be concluded
// from the records replayed so far:
//
//  1. A segment header that is neither intact nor all zeros, or a file shorter than its header
//     states. (Headers are written within one sector, which disks write whole.)
//  2. No segment First, although it was known to exist or a later one of its log exists. (A log makes
//     its first segment durable before it begins another.)
//  3. Behind the damage an intact chunk vouches for the damaged place: it had been synced.
//  4. The system's cache has not been lost since the segment was begun (vfs.FS.CacheID), nor has a
//     sync failed, so only the process can have died, yet an intact chunk of the segment follows the damage, or a later
//     segment was begun. A process writes in order.
//  5. The next segment states a length or mark that the records contradict.
//  6. Behind the log another one begins that holds a record. A log begins at every opening, and
//     takes records only after First has been moved to it: whoever said First is out of date.
//
// So one kind of damage goes unnoticed: to the records that nothing vouches for because no sync
// was followed by another record, after the cache was lost. It looks like the end of the log.
func Recover(opts RecoverOptions, replay func(payload []byte) (mark uint64, err error)) (Recovered, error) {
	r := recovery{opts: opts, cache: cacheHash(opts.CacheID), replay: replay}
	if err := r.readHeaders(); err != nil {
		return r.result, err
	}
	for i := range r.chain {
		ended, err := r.replaySegment(i)
		if err != nil {
			return r.result, err
		}
		if ended {
			break
		}
	}
	return r.result, nil
}

// found is a segment file with an intact header.
type found struct {
	path   string
	header header
}

type recovery struct {
	opts   RecoverOptions
	cache  uint64
	replay func([]byte) (uint64, error)

	chain  []found // segments First, First+1, ... without a gap
	beyond []found // segments of this log behind a gap
	other  []found // segments of logs that were begun later
	mark   uint64  // of the last record
	result Recovered
}

// readHeaders finds the segments and puts them in order.
func (r *recovery) readHeaders() error {
	var all []found
	for _, path := range r.opts.Paths {
		h, ok, err := readHeader(r.opts.FS, path, PurposeLog, r.opts.Store)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		r.result.Last = max(r.result.Last, h.number)
		if h.number >= r.opts.First {
			all = append(all, found{path: path, header: h})
		}
	}
	slices.SortFunc(all, func(a, b found) int { return cmp.Compare(a.header.number, b.header.number) })
	for i, f := range all {
		if i > 0 && all[i-1].header.number == f.header.number {
			return corrupt.Errorf("segment header", "number %d stands in %s too", f.header.number, all[i-1].path).At(0).In(f.path)
		}
	}
	return r.sortOut(all)
}

// sortOut divides the segments, in order of their numbers, into the chain and the rest.
func (r *recovery) sortOut(all []found) error {
	for _, f := range all {
		switch next := r.opts.First + SegmentNum(len(r.chain)); {
		case len(r.other) > 0 || f.header.prevLen == 0 && f.header.number != r.opts.First:
			r.other = append(r.other, f)
		case len(r.beyond) > 0 || f.header.number != next:
			r.beyond = append(r.beyond, f)
		default:
			r.chain = append(r.chain, f)
		}
	}
	for _, f := range slices.Concat(r.chain, r.beyond, r.other) {
		r.result.Needed = append(r.result.Needed, f.path)
	}
	if len(r.chain) == 0 && r.opts.FirstExists {
		return corrupt.Errorf("write-ahead log", "segment %d, which held records that no table holds, is missing", r.opts.First)
	}
	if len(r.chain) == 0 && len(r.beyond) > 0 {
		f := r.beyond[0]
		return r.damageAt(f, 0, "segment %d of this log was begun, but segment %d, from which it is needed, is missing", f.header.number, r.opts.First)
	}
	for _, f := range r.other {
		s, err := readSegment(r.opts.FS, f)
		if err != nil {
			return err
		}
		for c := range s.intactFrom(headerLen) {
			return r.damageAt(f, c.end, "segment %d of a later opening holds records, so what said that the log begins at segment %d is out of date",
				f.header.number, r.opts.First)
		}
	}
	return nil
}

// readHeader reads the header of a segment file. It reports false for a file that was made ready
// but never used.
func readHeader(fsys vfs.FS, path string, purpose Purpose, store uint64) (header, bool, error) {
	b, err := readStart(fsys, path)
	if err != nil {
		return header{}, false, err
	}
	if n := len(b); n < headerLen {
		if purpose == PurposeManifest {
			return header{}, false, corrupt.Errorf("segment header", "file has %d bytes", n).At(0).In(path)
		}
		return header{}, false, nil
	}
	if !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) {
		return header{}, false, nil
	}
	h, err := decodeHeader(b, purpose, store)
	if err != nil {
		return header{}, false, locate(err, path, 0)
	}
	return h, true, nil
}

// readStart reads the bytes of a header, or fewer where the file has no more.
func readStart(fsys vfs.FS, path string) ([]byte, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	b := make([]byte, headerLen)
	n, err := f.ReadAt(b, 0)
	if n == headerLen || isEOF(err) {
		err = nil
	}
	return b[:n], errors.Join(err, f.Close())
}

// locate adds the file's path to an error about its contents, which begin at base.
func locate(err error, path string, base int64) error {
	if errors.Is(err, corrupt.ErrCorrupt) {
		return corrupt.Locate(err, path, base)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// replaySegment replays segment i of the chain, and tells whether the log ends in it.
func (r *recovery) replaySegment(i int) (ended bool, err error) {
	f := r.chain[i]
	s, err := readSegment(r.opts.FS, f)
	if err != nil {
		return false, err
	}
	limit := int64(-1) // the length that the next segment states; -1 when there is no next one
	if i+1 < len(r.chain) {
		limit = r.chain[i+1].header.prevLen
	}
	for s.off != limit {
		payload, ok := s.next()
		if !ok {
			r.result.End = Position{Segment: f.header.number, Offset: s.off}
			return true, r.judgeEnd(i, s, limit)
		}
		if limit >= 0 && s.off > limit {
			return false, r.damageAt(f, s.off, "a record reaches beyond byte %d, where segment %d says that this one ended", limit, f.header.number+1)
		}
		if r.mark, err = r.replay(payload); err != nil {
			return false, locate(err, f.path, s.start+chunkHeaderLen)
		}
		r.result.Records++
		r.result.Bytes += int64(len(payload))
	}
	r.result.End = Position{Segment: f.header.number, Offset: s.off}
	if next := r.chain[i+1]; r.result.Records > 0 && next.header.prevMark != r.mark {
		return false, r.damageAt(next, 0, "states mark %d for the segment before, whose last record has %d", next.header.prevMark, r.mark)
	}
	return false, nil
}

// judgeEnd decides whether a crash explains that segment i has no intact chunk at s.bad. limit is
// the length that the next segment states, or -1.
func (r *recovery) judgeEnd(i int, s *scanner, limit int64) error {
	f := r.chain[i]
	damaged := Position{Segment: f.header.number, Offset: s.bad}
	cacheKept := r.cache != 0 && f.header.cache == r.cache
	if cacheKept && limit >= 0 {
		return r.damageAt(f, s.bad, "no intact record, although segment %d says that this one has %d bytes", f.header.number+1, limit)
	}
	for c := range s.intactFrom(s.bad + 1) {
		if cacheKept {
			return r.damageAt(f, s.bad, "no intact record, but one that was written later follows before offset %d", c.end)
		}
		if damaged.Before(c.vouched) {
			return r.damageAt(f, s.bad, "no intact record, although the log was synced up to %v", c.vouched)
		}
	}
	for _, later := range slices.Concat(r.chain[i+1:], r.beyond) {
		if cacheKept && later.header.cache == r.cache {
			return r.damageAt(f, s.bad, "no intact record, but segment %d was begun later", later.header.number)
		}
		if err := r.judgeBy(later, damaged); err != nil {
			return err
		}
	}
	return nil
}

// judgeBy looks for a chunk in a later segment that vouches for the damaged place.
func (r *recovery) judgeBy(later found, damaged Position) error {
	s, err := readSegment(r.opts.FS, later)
	if err != nil {
		return err
	}
	for c := range s.intactFrom(headerLen) {
		if damaged.Before(c.vouched) {
			return corrupt.Errorf("log record", "none at offset %d of segment %d, although the log was synced up to %v",
				damaged.Offset, damaged.Segment, c.vouched).At(c.end).In(later.path)
		}
	}
	return nil
}

func (r *recovery) damageAt(f found, off int64, format string, args ...any) error {
	return corrupt.Errorf("log record", format, args...).At(off).In(f.path)
}

// HoldsRecords tells whether a segment file of whatever store holds an intact chunk. One whose header is
// damaged is taken to.
func HoldsRecords(fsys vfs.FS, path string) (bool, error) {
	b, err := readStart(fsys, path)
	if err != nil || len(b) < headerLen || !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) {
		return false, err
	}
	h, err := decodeHeader(b, PurposeLog, binary.LittleEndian.Uint64(b[headerStore:]))
	if err != nil {
		return true, nil
	}
	data, err := readUpTo(fsys, path, maxLogSegmentLen)
	if err != nil {
		return false, err
	}
	s := scanner{header: h, data: data}
	for range s.intactFrom(headerLen) {
		return true, nil
	}
	return false, nil
}
