package interchange

import (
	"context"
	"slices"

	"github.com/tinykv/tinykv"
)

// chunkWriter writes chunks, in a goroutine of its own, so that the next one is filled meanwhile.
type chunkWriter struct {
	db     *tinykv.DB
	o      *ImportOptions
	queue  chunkQueue
	report *ImportReport // the writer's until it has ended
}

// run writes chunks until there are no more, or one cannot be written.
func (w *chunkWriter) run(ctx context.Context) error {
	for c := range w.queue.full {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := w.write(c); err != nil {
			return err
		}
		if w.o.Progress != nil {
			w.o.Progress(*w.report)
		}
		w.queue.free <- c
	}
	return nil
}

// write writes a chunk, and notes what became of its rows. One that must fail on a key is written up to there.
func (w *chunkWriter) write(c *chunk) error {
	done, err := w.apply(c)
	if err != nil {
		return err
	}
	r, conflict := w.report, error(nil)
	if done.end < len(c.numbers) {
		at := c.numbers[done.end]
		conflict = &RowError{Row: at, Message: ErrKeyExists.Error(), cause: ErrKeyExists}
		c.last, c.bytes = at-1, r.Bytes
		c.expired = slices.DeleteFunc(c.expired, func(n int64) bool { return n > at })
		c.failed = slices.DeleteFunc(c.failed, func(e RowError) bool { return e.Row > at })
	}
	r.Imported += int64(done.imported)
	r.Skipped += int64(len(c.expired) + done.end - done.imported)
	r.Failed += int64(len(c.failed))
	r.Errors = append(r.Errors, c.failed[:min(len(c.failed), maxReported-len(r.Errors))]...)
	r.Rows, r.Bytes = max(r.Rows, c.last), max(r.Bytes, c.bytes)
	return conflict
}

// applied tells what became of the operations of a chunk: those before end are done, of which the others than imported had keys that
// were there.
type applied struct{ end, imported int }

func (w *chunkWriter) apply(c *chunk) (done applied, err error) {
	all := applied{end: c.batch.Len(), imported: c.batch.Len()}
	switch {
	case all.end == 0:
		return all, nil
	case w.o.OnConflict == Overwrite && w.o.DryRun:
		return all, nil
	case w.o.OnConflict == Overwrite:
		return all, w.db.Apply(c.batch)
	case w.o.DryRun:
		err = w.db.View(func(tx *tinykv.Tx) (err error) {
			done, err = w.look(tx, c.batch)
			return err
		})
	default:
		err = w.db.Update(func(tx *tinykv.Tx) (err error) {
			done, err = w.look(tx, c.batch)
			return err
		})
	}
	return done, err
}

// keyspace is where rows go: a transaction, or a bucket in it.
type keyspace interface {
	Has(k []byte) (bool, error)
	Put(k, value []byte, opts ...tinykv.WriteOption) error
}

// look puts what is not there.
func (w *chunkWriter) look(tx *tinykv.Tx, b *tinykv.Batch) (done applied, err error) {
	for op := range b.Ops() {
		to := keyspace(tx)
		if op.Bucket != "" {
			to = tx.Bucket(op.Bucket)
		}
		has, err := to.Has(op.Key)
		if err != nil {
			return done, err
		}
		if has && w.o.OnConflict == Fail {
			return done, nil
		}
		done.end++
		if has {
			continue
		}
		done.imported++
		if w.o.DryRun {
			continue
		}
		var opts []tinykv.WriteOption
		if !op.ExpiresAt.IsZero() {
			opts = []tinykv.WriteOption{tinykv.ExpireAt(op.ExpiresAt)}
		}
		if err := to.Put(op.Key, op.Value, opts...); err != nil {
			return done, err
		}
	}
	return done, nil
}
