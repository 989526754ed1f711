package tinykv

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/wal"
)

// repairLog is the log of a store under repair.
type repairLog struct {
	segments []repairSegment // in order of their numbers
	damaged  bool            // as far as it is known where it begins
}

type repairSegment struct {
	path string
	wal.SegmentInfo
}

// errEndOfLog ends the reading of a log.
var errEndOfLog = errors.New("tinykv: end of log")

// scanLog finds the segments that count, and out whether the log is damaged, by the rules of recovery. A
// manifest that the log has left behind is no longer known to be the newest.
func (r *repair) scanLog(cacheID string) error {
	r.begin("log", "")
	var paths []string
	for _, num := range r.list.logs {
		paths = append(paths, r.path(manifest.FileLog, num))
		r.at.Total += r.size(paths[len(paths)-1])
	}
	known := r.books.Known
	if known != nil {
		last := known.LastSeq
		_, err := wal.Recover(wal.RecoverOptions{
			FS: r.o.FS, Paths: paths, Store: known.Store, CacheID: cacheID, First: known.Log.First, FirstExists: known.Log.Exists,
		}, func(payload []byte) (_ uint64, err error) {
			if r.ctx.Err() != nil {
				return 0, context.Cause(r.ctx)
			}
			last, err = nextBatch(last, payload, known.Spaces)
			return uint64(last), err
		})
		switch {
		case r.ctx.Err() != nil:
			return context.Cause(r.ctx)
		case errors.Is(err, ErrFormatTooNew):
			return err
		case err != nil:
			r.damage(corrupt.Locate(err, r.src, 0))
			r.log.damaged = true
		}
	}
	for _, path := range paths {
		r.findSegment(path)
	}
	slices.SortFunc(r.log.segments, func(a, b repairSegment) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.path, b.path))
	})
	if known != nil && (known.Sealed || r.log.damaged) {
		return r.checkNewest(known)
	}
	return nil
}

// findSegment adds a file to the segments, if it is one that counts.
func (r *repair) findSegment(path string) {
	store, first := r.books.Store, wal.SegmentNum(0)
	if k := r.books.Known; k != nil {
		store, first = k.Store, k.Log.First
	}
	_ = wal.Inspect(r.o.FS, path, func(i wal.SegmentInfo) error { // of damage, Recover has told
		if !i.NeverUsed && i.Purpose == wal.PurposeLog && (i.Store == store || store == 0) && i.Number >= first {
			r.log.segments = append(r.log.segments, repairSegment{path, i})
		}
		return errEndOfLog
	}, nil)
}

// checkNewest looks for records that cannot be there if the manifest is the newest: of a log that began
// after it was closed, or after the log began that it names.
func (r *repair) checkNewest(known *manifest.Loaded) error {
	for _, s := range r.log.segments {
		if !known.Sealed && (s.PrevLength != 0 || s.Number == known.Log.First) {
			continue
		}
		err := r.records(s, func(seq key.SeqNum, payload []byte) error {
			if seq > known.LastSeq {
				return errEndOfLog
			}
			return nil
		})
		if errors.Is(err, errEndOfLog) {
			r.damage(corrupt.Errorf("manifest", "is out of date: the log goes on behind it").At(0).In(r.path(manifest.FileManifest, known.Manifest)))
			r.forget(known)
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forget makes a state that was known one that may be out of date.
func (r *repair) forget(known *manifest.Loaded) {
	r.books = &manifest.Salvaged{Store: known.Store, LastSeq: uint64(known.LastSeq), Tables: map[manifest.FileNum]manifest.AddedTable{}, Spaces: known.Spaces, MergeOperator: known.MergeOperator}
	for level, tables := range known.Version.Levels {
		for _, t := range tables {
			r.books.Tables[t.Num] = manifest.AddedTable{Level: manifest.Level(level), Table: t}
		}
	}
}

// records calls fn with each intact record of a segment that is a batch.
func (r *repair) records(s repairSegment, fn func(seq key.SeqNum, payload []byte) error) error {
	err := wal.Inspect(r.o.FS, s.path, func(wal.SegmentInfo) error { return nil }, func(p wal.Part) error {
		if r.ctx.Err() != nil {
			return context.Cause(r.ctx)
		}
		if p.Damaged || len(p.Payload) < batchrepr.HeaderLen {
			return nil
		}
		if err := batchrepr.Validate(p.Payload); err != nil {
			return nil // of damage, Recover has told
		}
		seq, _ := batchrepr.Header(p.Payload)
		return fn(seq, p.Payload)
	})
	if r.ctx.Err() == nil && !errors.Is(err, errEndOfLog) && !errors.Is(err, errRepairWrite) && !errors.Is(err, ErrFormatTooNew) {
		return nil // of damage, Recover has told
	}
	return err
}

// errRepairWrite marks an error of the copy, which ends the repair.
var errRepairWrite = errors.New("write the copy")

// copyLog replays the records that follow on the tables, each on the one before. Where one is missing,
// the log ends, unless what is in doubt is wanted.
func (r *repair) copyLog(to *repairCopy) error {
	last, whole := r.lastSq, r.books.Known != nil
	r.report.LastSeq = uint64(last)
	r.report.LogDamaged = r.log.damaged
	bases := r.bases(to)
	for _, s := range r.log.segments {
		r.begin("log", s.path)
		err := r.records(s, func(seq key.SeqNum, payload []byte) error {
			_, count := batchrepr.Header(payload)
			end := seq + key.SeqNum(count) - 1
			switch {
			case seq <= last:
				return nil // tables hold it
			case seq == last+1 && whole:
			case r.books.Known != nil && !r.log.damaged:
				return errEndOfLog // as a crash leaves it
			default:
				whole, bases.incomplete = false, true
				r.report.LogBehind++
				if !r.o.KeepDoubtful {
					return nil
				}
			}
			last = end
			r.report.LastSeq = uint64(end)
			r.report.LogRecords++
			return to.replay(payload, bases)
		})
		r.progress(r.size(s.path))
		if errors.Is(err, errEndOfLog) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// replay applies a batch of the log.
func (c *repairCopy) replay(payload []byte, bases *repairBases) error {
	err := c.load(payload)
	if err == nil {
		err = bases.settle(&c.batch)
	}
	if err == nil {
		err = c.apply()
	}
	if err != nil {
		return errors.Join(errRepairWrite, err)
	}
	return nil
}
