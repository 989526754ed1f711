package tinykv

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/sstable"
)

// repairRun goes over the entries of tables that do not overlap, in order: those of a level, or a single one of level 0. One
// of its tables is open at a time.
//
// When it stands at an entry, all gaps and range tombstones are known that begin before or at it. So whoever looks
// at the least key of several runs knows all that bears on it.
type repairRun struct {
	r      *repair
	merge  *repairMerge
	num    int // of the runs of the merge
	tables []*manifest.Table

	at   *sstable.Salvager // nil between tables
	file *unmapped
	left int64        // bytes of the file that were not read yet
	kv   *iterator.KV // nil at the end
}

// runs returns what there is to merge. Where the manifest is known, of two runs the first holds the newer entries of
// a key.
func (r *repair) runs() ([]*repairRun, error) {
	if r.books.Known == nil {
		return r.unknownRuns()
	}
	var runs []*repairRun
	used := map[manifest.FileNum]bool{}
	for level, tables := range r.books.Known.Version.Levels {
		for i, t := range tables {
			used[t.Num] = true
			if level == 0 {
				runs = append(runs, &repairRun{r: r, tables: tables[i : i+1]})
			}
		}
		if level > 0 && len(tables) > 0 {
			runs = append(runs, &repairRun{r: r, tables: tables})
		}
	}
	for _, num := range r.list.tables {
		if !used[num] {
			r.unused(num)
		}
	}
	return runs, nil
}

// unused notes a table that does not count.
func (r *repair) unused(num manifest.FileNum) {
	r.report.Unused = append(r.report.Unused, manifest.Name(manifest.FileTable, num))
	r.progress(r.size(r.path(manifest.FileTable, num)))
}

// unknownRuns returns all tables that are there, but for those that are known to have left the store. Nothing
// tells which are newer but the sequence numbers of their entries.
func (r *repair) unknownRuns() ([]*repairRun, error) {
	var all []*manifest.Table
	for _, num := range r.list.tables {
		switch named, ok := r.books.Tables[num]; {
		case r.books.Gone[num]:
			r.unused(num)
		case ok:
			all = append(all, named.Table)
		default:
			t, err := r.describe(num)
			if err != nil {
				return nil, err
			}
			if t != nil {
				all = append(all, t)
			}
		}
	}
	for _, t := range all {
		r.lastSq = max(r.lastSq, t.LargestSeq)
	}
	slices.SortFunc(all, func(a, b *manifest.Table) int {
		return cmp.Or(key.Compare(a.Smallest, b.Smallest), cmp.Compare(a.Num, b.Num))
	})
	var runs []*repairRun
	for _, t := range all {
		i := slices.IndexFunc(runs, func(run *repairRun) bool {
			return run.tables[len(run.tables)-1].EndsBefore(t.Smallest.Stored)
		})
		if i < 0 {
			i = len(runs)
			runs = append(runs, &repairRun{r: r})
		}
		runs[i].tables = append(runs[i].tables, t)
	}
	return runs, nil
}

// describe returns what a table says of itself that no manifest tells about; nil when nothing of it can be
// read.
func (r *repair) describe(num manifest.FileNum) (*manifest.Table, error) {
	path := r.path(manifest.FileTable, num)
	r.begin("tables", path)
	file, err := openUnmapped(r.o.FS, path)
	if err != nil {
		r.lose(r.damage(err), nil, nil)
		return nil, nil
	}
	defer file.Close()
	t := &manifest.Table{Num: num, Size: file.size}
	if t.ID, err = sstable.ReadID(file); err != nil {
		r.lose(r.damage(corrupt.Locate(err, path, 0)), nil, nil)
		return nil, nil
	}
	s := sstable.Salvage(file, sstable.SalvageOptions{Name: path, ID: t.ID, Lost: func(l sstable.Loss) {
		if l.IsTooNew() {
			err = l.Err
		}
	}})
	if err != nil {
		return nil, err
	}
	lower, upper := s.Bounds()
	if lower == nil { // when it is read, it tells why
		lower, upper = []byte{}, key.SpaceEnd(key.MaxSpace)
	}
	t.Smallest = key.Internal{Stored: lower, Trailer: key.MaxTrailer}
	t.Largest = key.Internal{Stored: upper, Trailer: key.MaxTrailer}
	t.LargestSeq = key.MaxSeqNum
	t.RangeDeletes = uint64(len(s.Ranges()))
	if p, ok := s.Stated(); ok {
		t.SmallestSeq, t.LargestSeq, t.Entries, t.RangeDeletes = p.SmallestSeq, p.LargestSeq, p.Entries, p.RangeDeletes
	}
	return t, nil
}

// lose counts a gap.
func (r *repair) lose(d *RepairDamage, lower, upper []byte) {
	r.gaps++
	d.hide(lower, upper)
}

// next moves to the next entry that can be read.
func (run *repairRun) next() error {
	for {
		if run.at == nil {
			if len(run.tables) == 0 {
				run.kv = nil
				return nil
			}
			if err := run.open(run.tables[0]); err != nil {
				return err
			}
		}
		if run.at != nil {
			if run.kv = run.at.Next(); run.kv != nil && run.misplaced() {
				run.lose(corrupt.Errorf("table", "holds %v, which the manifest does not say", run.kv.Key()).At(0).In(run.r.at.File), nil, nil)
				run.kv = nil
			}
			if run.kv != nil {
				return nil
			}
		}
		if run.r.ctx.Err() != nil {
			return context.Cause(run.r.ctx)
		}
		run.leave()
	}
}

// misplaced tells whether the entry lies where its table should have none.
func (run *repairRun) misplaced() bool {
	t := run.tables[0]
	return !t.Covers(run.kv.Stored) || run.kv.Trailer.Seq() > t.LargestSeq
}

// leave gives up the table at hand, and counts what could not be read of it.
func (run *repairRun) leave() {
	t, read := run.tables[0], uint64(0)
	if run.at != nil {
		read = run.at.Read()
	}
	run.r.report.Lost += max(t.Entries, read) - read
	run.progress(run.left)
	run.close()
	run.tables = run.tables[1:]
}

func (run *repairRun) progress(bytes int64) {
	run.left -= bytes
	run.r.progress(bytes)
}

func (run *repairRun) close() {
	if run.file != nil {
		_ = run.file.Close() // was only read
	}
	run.at, run.file = nil, nil
}

// open begins with a table; at stays nil when nothing of it can be read.
func (run *repairRun) open(t *manifest.Table) error {
	r, path := run.r, run.r.path(manifest.FileTable, t.Num)
	r.begin("tables", path)
	r.report.Tables++
	run.left = r.size(path)
	file, err := openUnmapped(r.o.FS, path)
	if errors.Is(err, errNotExist) {
		err = corrupt.Errorf("store", "table is missing").At(0).In(path)
	}
	if err == nil && file.size < t.Size {
		err = errors.Join(corrupt.Errorf("table", "file has %d bytes, want %d", file.size, t.Size).At(file.size).In(path), file.Close())
	}
	if err != nil {
		run.lose(err, nil, nil)
		return nil
	}
	file.size = t.Size
	var tooNew error
	run.file = file
	run.at = sstable.Salvage(file, sstable.SalvageOptions{
		Name: path, ID: t.ID, SeqBase: t.SeqBase, Progress: run.progress, Mend: &r.mend, Mended: r.mended,
		Lost: func(l sstable.Loss) {
			switch {
			case l.IsTooNew():
				tooNew = l.Err
			case l.Entries || l.Ranges && t.RangeDeletes > 0:
				run.lose(l.Err, l.Lower, l.Upper)
			default:
				r.damage(l.Err)
			}
		},
	})
	for _, span := range run.at.Ranges().Truncate(t.Smallest.Stored, t.End()) {
		run.merge.spans.add(run.num, repairCover{lower: span.Lower, upper: span.Upper, seq: span.Seqs[0]})
	}
	if tooNew != nil {
		return fmt.Errorf("table %s: %w", path, tooNew)
	}
	return nil
}

// lose notes a gap in the table at hand. Nil bounds are those of the table.
func (run *repairRun) lose(err error, lower, upper []byte) {
	t := run.tables[0]
	if lower == nil || bytes.Compare(lower, t.Smallest.Stored) < 0 {
		lower = t.Smallest.Stored
	}
	if end := t.End(); upper == nil || bytes.Compare(upper, end) > 0 {
		upper = end
	}
	d := run.r.damage(err)
	run.r.lose(d, lower, upper)
	run.merge.gaps.add(run.num, repairCover{lower: lower, upper: upper, seq: t.LargestSeq, damage: d})
}
