package main

import (
	"github.com/tinykv/tinykv"
)

// bucketFlag chooses what of a store a command is about.
type bucketFlag struct {
	Bucket string `given:"" placeholder:"NAME" help:"In this bucket. Default: outside of all buckets."`
}

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
		return e.at(&tinykv.Options{ErrorIfMissing: true}, func(s site) error { return s.dropBucket(string(name)) })
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
