package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tinykv/tinykv"
)

// scanned is the directory that is scanned for show.
const scanned = "net/http/"

// run does what the command line asks for.
func (c *config) run(ctx context.Context, std stdio) (err error) {
	t, err := findTree(c.goroot)
	if err != nil {
		return err
	}
	p := &program{ctx: ctx, stdio: std, tree: t, dir: c.db}
	if c.sync {
		p.opts.Durability = tinykv.DurabilitySync
	}
	switch {
	case c.verify:
		return p.verifyOnly()
	case c.loadOnly:
		return p.withStore(func(s *store) error { return s.load(std.out) })
	}
	if p.dir == "" {
		if p.dir, err = os.MkdirTemp("", "tinykv-gosrc-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(p.dir)) }()
	}
	return p.demonstrate()
}

// program is one run.
type program struct {
	ctx context.Context
	stdio
	tree *tree
	dir  string
	opts tinykv.Options
}

// demonstrate loads the tree, and looks at it in a store that was opened again.
func (p *program) demonstrate() error {
	if err := p.withStore(func(s *store) error { return s.load(io.Discard) }); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "loaded %d files, %s\n", len(p.tree.files), megabytes(p.tree.bytes))
	p.opts.ErrorIfMissing = true
	return p.withStore(func(s *store) error {
		if err := s.compare(); err != nil {
			return err
		}
		fmt.Fprintln(p.out, "opened again: every file is there, every byte is right, and nothing else is there")
		files, bytes, err := s.scan(scanned)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "%s: %d files, %d bytes\n\n%s", scanned, files, bytes, s.db.Metrics())
		return nil
	})
}

// verifyOnly checks the paths on stdin.
func (p *program) verifyOnly() error {
	p.opts.ErrorIfMissing = true
	return p.withStore(func(s *store) error {
		n, err := s.verify(p.in)
		fmt.Fprintf(p.out, "%d paths are there with the right bytes\n", n)
		return err
	})
}

// withStore opens the store, hands it to fn and closes it.
func (p *program) withStore(fn func(*store) error) error {
	db, err := tinykv.Open(p.dir, &p.opts)
	if err != nil {
		return err
	}
	return errors.Join(fn(&store{ctx: p.ctx, db: db, tree: p.tree, stderr: p.err}), db.Close())
}
