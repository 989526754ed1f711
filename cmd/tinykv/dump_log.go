package main

import (
	"context"
	"errors"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/wal"
)

type dumpLog struct {
	fileArgument
	hexFlag
}

// Run shows log segments.
func (c *dumpLog) Run(e *environment) error {
	return c.dump(e, manifest.FileLog, func(path string) error {
		return e.segment(path, wal.PurposeLog, func(payload []byte) error { return c.batch(e, payload) })
	})
}

// batch shows the operations of a record.
func (c *dumpLog) batch(e *environment, payload []byte) error {
	seq, ops, err := batchrepr.Read(payload)
	if err != nil {
		return err
	}
	for {
		op, ok, err := ops.Next()
		if !ok {
			return err
		}
		e.operation(c.hexFlag, key.Internal{Stored: op.Stored, Trailer: key.MakeTrailer(seq, op.Kind)}, op.Value)
		seq++
	}
}

// segment shows a segment file record by record, and goes on behind damage.
func (e *environment) segment(path string, want wal.Purpose, record func(payload []byte) error) error {
	var damaged error
	damage := func(err error) {
		e.damage(err)
		damaged = quietError{err}
	}
	n, end := 0, int64(0)
	err := wal.Inspect(vfs.OS(), path, func(s wal.SegmentInfo) error {
		return e.segmentHeader(path, want, &s)
	}, func(p wal.Part) error {
		if e.ctx.Err() != nil {
			return context.Cause(e.ctx)
		}
		if p.Damaged {
			damage(corrupt.Errorf("record", "none can be read before offset %d", p.End).At(p.Offset).In(path))
			return nil
		}
		n, end = n+1, p.End
		e.printf("record %d at %d, %s\n", n, p.Offset, sizeText(int64(len(p.Payload))))
		err := record(p.Payload)
		if errors.Is(err, corrupt.ErrCorrupt) {
			damage(corrupt.Locate(err, path, p.Offset))
			return nil
		}
		return err
	})
	if err != nil {
		return errors.Join(err, damaged)
	}
	e.printf("%s", countText(n, "record"))
	if n > 0 {
		e.printf(", up to %d", end)
	}
	e.printf("\n")
	return damaged
}

func (e *environment) segmentHeader(path string, want wal.Purpose, s *wal.SegmentInfo) error {
	e.printf("%s: %s\n", path, sizeText(s.ActualBytes))
	switch {
	case s.NeverUsed:
		e.printf("made ready, but never used\n")
	case s.Purpose != want:
		return usageError{path + " is a segment of another kind; dump it as wal or as manifest"}
	case want == wal.PurposeLog:
		e.printf("segment %d of store %016x, behind sequence number %d\n", s.Number, s.Store, s.PrevMark)
	default:
		e.printf("manifest %d of store %016x\n", s.Number, s.Store)
	}
	return nil
}

type dumpManifest struct {
	fileArgument
	hexFlag
}

// Run shows manifests.
func (c *dumpManifest) Run(e *environment) error {
	return c.dump(e, manifest.FileManifest, func(path string) error {
		return e.segment(path, wal.PurposeManifest, func(payload []byte) error { return c.edit(e, payload) })
	})
}

// edit shows an edit: what it sets in one line, then a line or two for each table.
func (c *dumpManifest) edit(e *environment, payload []byte) error {
	edit, err := manifest.DecodeEdit(payload)
	if err != nil {
		return err
	}
	e.printf("  next file %d", edit.NextFile)
	if edit.LastSeq > 0 {
		e.printf(", last sequence %d", edit.LastSeq)
	}
	if l := edit.Log; l != nil {
		e.printf(", log from segment %d", l.First)
	}
	e.printf("\n")
	for _, n := range edit.NewSpaces {
		e.printf("  + keyspace %d: bucket %s\n", n.ID, c.text([]byte(n.Name)))
	}
	for _, id := range edit.DroppedSpaces {
		e.printf("  - keyspace %d\n", id)
	}
	for _, d := range edit.Deleted {
		e.printf("  - L%d %s\n", d.Level, manifest.Name(manifest.FileTable, d.Num))
	}
	for _, a := range edit.Added {
		t := a.Table
		e.printf("  + L%d %s %s, %s, sequence %d to %d\n",
			a.Level, manifest.Name(manifest.FileTable, t.Num), sizeText(t.Size), entriesText(t.Entries), t.SmallestSeq, t.LargestSeq)
		e.printf("       %s to %s\n", c.internal(t.Smallest), c.end(t))
	}
	return nil
}

// end writes where a table ends; a range deletion ends before a key, not at it.
func (c *dumpManifest) end(t *manifest.Table) string {
	if t.Largest.Trailer == key.MaxTrailer {
		return "before " + c.stored(t.Largest.Stored)
	}
	return c.internal(t.Largest)
}
