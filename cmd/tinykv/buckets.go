package main

import (
	"fmt"
	"slices"

	"github.com/tinykv/tinykv"
)

// bucketFlag chooses what of a store a command is about.
type bucketFlag struct {
	Bucket string `given:"" placeholder:"NAME" help:"In this bucket. Default: outside of all buckets."`
}

// in returns the space that a command reads or deletes in. One that is not there is told: what is asked of it would look like an answer. A
// command that puts something makes it.
func (f bucketFlag) in(s site) (space, error) {
	if f.Bucket == "" {
		return s.bucket(""), nil
	}
	names, err := s.bucketNames()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(names, f.Bucket) {
		return nil, noBucketError{f.Bucket}
	}
	return s.bucket(f.Bucket), nil
}

// noBucketError tells that there is no bucket of a name.
type noBucketError struct{ name string }

func (e noBucketError) Error() string {
	return fmt.Sprintf("there is no bucket %s; tinykv buckets lists those that there are", hexFlag{}.short([]byte(e.name)))
}

// Is has it matched by that of a key that is not there, and so by the exit code.
func (e noBucketError) Is(target error) bool { return target == tinykv.ErrNotFound }

type bucketsCommand struct {
	hexFlag
	Drop string `given:"" placeholder:"NAME" help:"Remove this bucket with all that is in it."`
	formatFlag
}

// Run lists the buckets, or drops one.
func (c *bucketsCommand) Run(e *environment) error {
	if c.Drop != "" {
		name, err := c.bytes(c.Drop)
		if err != nil {
			return err
		}
		return e.at(&tinykv.Options{ErrorIfMissing: true}, func(s site) error {
			if _, err := (bucketFlag{string(name)}).in(s); err != nil {
				return err
			}
			return s.dropBucket(string(name))
		})
	}
	return e.look(func(s site) error {
		names, err := s.bucketNames()
		l := newList(e, c.form("json", ""), "name")
		for _, name := range names {
			if err == nil {
				err = l.row(name, c.text([]byte(name)))
			}
		}
		return l.end(err)
	})
}
