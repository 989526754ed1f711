package interchange

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tinykv/tinykv"
)

const (
	chunkBytes = 256 << 10 // of keys and values that are written at once: much more would make a table of its own of each
	chunkRows  = 64 << 10
	chunks     = 4 // one is filled, one written, the others wait
)

// chunk is what is written at once, and what else is known of the rows that it came from.
type chunk struct {
	batch   *tinykv.Batch
	numbers []int64 // of the rows of the operations
	expired []int64 // numbers of the rows whose values have expired
	failed  []RowError
	last    int64 // number of the last row
	bytes   int64 // of the input up to there
}

func (c *chunk) reset() {
	if c.batch.Size() > 16*chunkBytes {
		c.batch = new(tinykv.Batch) // it had a long row; all chunks need not keep memory for that
	}
	c.batch.Reset()
	*c = chunk{batch: c.batch, numbers: c.numbers[:0], expired: c.expired[:0], failed: c.failed[:0]}
}

// isFull tells whether n bytes more belong to another chunk.
func (c *chunk) isFull(n int) bool {
	if len(c.numbers)+len(c.expired)+len(c.failed) >= chunkRows {
		return true
	}
	return c.batch.Len() > 0 && c.batch.Size()+n > chunkBytes
}

// chunkQueue is the way of chunks from the reader to the writer, and back. It has room for all of them, so that nobody waits to send.
type chunkQueue struct{ full, free chan *chunk }

func newChunkQueue() chunkQueue {
	q := chunkQueue{full: make(chan *chunk, chunks), free: make(chan *chunk, chunks)}
	for range chunks {
		q.free <- &chunk{batch: new(tinykv.Batch)}
	}
	return q
}

// empty returns an empty chunk, or the cause of a context that has ended.
func (q chunkQueue) empty(ctx context.Context) (*chunk, error) {
	select {
	case c := <-q.free:
		c.reset()
		return c, context.Cause(ctx)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// chunkReader fills chunks with rows.
type chunkReader struct {
	rows   rows
	o      *ImportOptions
	queue  chunkQueue
	failed int
	last   int64 // number of the last row, also of those that were passed
}

// run fills chunks until the input ends, or must be given up, of which it returns the reason. What came before that is in the queue.
func (r *chunkReader) run(ctx context.Context) error {
	c, err := r.queue.empty(ctx)
	for err == nil {
		var next row
		next, err = r.next()
		if err != nil {
			break
		}
		if c.isFull(len(next.key) + len(next.value)) {
			r.queue.full <- c
			if c, err = r.queue.empty(ctx); err != nil {
				return err
			}
		}
		if err = r.add(c, &next); err == nil {
			c.last, c.bytes = next.number, r.rows.read()
		}
	}
	if c != nil {
		r.queue.full <- c
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// next returns the next row that counts. One that is wrong has the error in it.
func (r *chunkReader) next() (next row, err error) {
	for {
		err := r.rows.next(&next)
		var wrong *RowError
		if errors.As(err, &wrong) {
			next, err = row{number: wrong.Row, wrong: wrong}, nil
		}
		switch {
		case err == io.EOF && r.o.FromRow > max(r.last, 1)+1: // one behind the last is where an import goes on that had done all; a header is a row
			err = inputError{fmt.Errorf("the input ends at row %d, before row %d", r.last, r.o.FromRow)}
		case err != nil && err != io.EOF:
			err = ofInput(err)
		}
		r.last = max(r.last, next.number)
		if err != nil || next.number >= r.o.FromRow {
			return next, err
		}
	}
}

// add adds a row to a chunk. It returns what is wrong with it if that ends the import.
func (r *chunkReader) add(c *chunk, next *row) error {
	if next.wrong == nil {
		next.wrong = r.put(c, next)
	}
	if next.wrong == nil {
		return nil
	}
	if r.failed++; r.o.MaxErrors >= 0 && r.failed > r.o.MaxErrors {
		return next.wrong
	}
	c.failed = append(c.failed, *next.wrong)
	return nil
}

func (r *chunkReader) put(c *chunk, next *row) *RowError {
	var opts []tinykv.WriteOption
	if !next.expiresAt.IsZero() {
		if !next.expiresAt.After(r.o.Now()) {
			c.expired = append(c.expired, next.number)
			return nil
		}
		opts = []tinykv.WriteOption{tinykv.ExpireAt(next.expiresAt)}
	}
	var err error
	switch bucket := r.o.Bucket; {
	case next.bucket != nil: // an empty name is none, which the batch tells
		err = c.batch.Bucket(string(next.bucket)).Put(next.key, next.value, opts...)
	case bucket != "":
		err = c.batch.Bucket(bucket).Put(next.key, next.value, opts...)
	default:
		err = c.batch.Put(next.key, next.value, opts...)
	}
	if err != nil {
		return &RowError{Row: next.number, Message: plain(err), cause: err}
	}
	c.numbers = append(c.numbers, next.number)
	return nil
}
