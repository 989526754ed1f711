package main

import (
	"context"
	"iter"

	"github.com/tinykv/tinykv"
)

// bucketFlag chooses what of a store a command is about.
type bucketFlag struct {
	Bucket string `placeholder:"NAME" help:"In this bucket. Default: outside of all buckets."`
}

// store is what a DB and a Bucket have in common, as far as commands need it.
type store interface {
	Peek(k []byte, fn func(value []byte) error) error
	Put(k, value []byte, opts ...tinykv.WriteOption) error
	DeleteRange(lower, upper []byte, opts ...tinykv.WriteOption) error
	Scan(r tinykv.Range, opts ...tinykv.ScanOption) iter.Seq2[tinykv.Item, error]
	Count(ctx context.Context, r tinykv.Range) (uint64, error)
	Explain(k []byte) (*tinykv.Explanation, error)
}

// of returns the part of the store.
func (f bucketFlag) of(db *tinykv.DB) store {
	if f.Bucket == "" {
		return db
	}
	return db.Bucket(f.Bucket)
}

// deletes adds the deletion of a key to a batch.
func (f bucketFlag) deletes(b *tinykv.Batch, k []byte) error {
	if f.Bucket == "" {
		return b.Delete(k)
	}
	return b.Bucket(f.Bucket).Delete(k)
}

type bucketsCommand struct {
	hexFlag
	Drop string `placeholder:"NAME" help:"Remove this bucket with all that is in it."`
	JSON bool   `name:"json" help:"As JSON: an array of names."`
}

// Run lists the buckets, or drops one.
func (c *bucketsCommand) Run(e *environment) error {
	if c.Drop != "" {
		name, err := c.bytes(c.Drop)
		if err != nil {
			return err
		}
		return e.with(&tinykv.Options{ErrorIfMissing: true}, func(db *tinykv.DB) error {
			return db.DropBucket(e.ctx, string(name))
		})
	}
	return e.read(func(db *tinykv.DB) error {
		names, err := db.Buckets()
		if err != nil {
			return err
		}
		if c.JSON {
			return e.json(names)
		}
		for _, name := range names {
			e.printf("%s\n", c.text([]byte(name)))
		}
		return nil
	})
}
