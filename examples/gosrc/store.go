package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/tinykv/tinykv"
)

// store is an open store, and the tree that is to be in it.
type store struct {
	ctx    context.Context // its end ends what takes long
	db     *tinykv.DB
	tree   *tree
	stderr io.Writer // for progress
}

// load puts all files into the store, and prints the path of each to acknowledged when its Put has
// returned: not sooner, and not later, so that a reader knows what must survive.
func (s *store) load(acknowledged io.Writer) error {
	p := newProgress(s.stderr, "load", s.tree)
	defer p.end()
	for i, name := range s.tree.files {
		if s.ctx.Err() != nil {
			return fmt.Errorf("interrupted; %d of %d files are in the store", i, len(s.tree.files))
		}
		contents, err := s.tree.read(name)
		if err != nil {
			return err
		}
		if err := s.db.Put([]byte(name), contents); err != nil {
			return fmt.Errorf("put %s: %w", name, err)
		}
		if _, err := fmt.Fprintln(acknowledged, name); err != nil {
			return err
		}
		p.did(len(contents))
	}
	return nil
}

// compare checks that the store holds all files of the tree, byte for byte, and nothing else. It goes
// over both side by side, and asks for each file by itself too.
func (s *store) compare() error {
	p := newProgress(s.stderr, "compare", s.tree)
	defer p.end()
	files := s.tree.files
	for item, err := range s.db.Scan(tinykv.All()) {
		switch {
		case err != nil:
			return err
		case s.ctx.Err() != nil:
			return fmt.Errorf("interrupted; %d files are not compared", len(files))
		case len(files) == 0 || string(item.Key) < files[0]:
			return fmt.Errorf("%s is in the store, but no file", item.Key)
		case string(item.Key) > files[0]:
			return fmt.Errorf("%s is not in the store", files[0])
		}
		contents, err := s.check(files[0])
		if err != nil {
			return err
		}
		if !bytes.Equal(item.Value, contents) {
			return fmt.Errorf("%s differs between Scan and Get", item.Key)
		}
		p.did(len(contents))
		files = files[1:]
	}
	if len(files) > 0 {
		return fmt.Errorf("%s is not in the store", files[0])
	}
	return nil
}

// verify checks that each path it reads is in the store with the bytes of its file. It returns how
// many are, up to the first that is not.
func (s *store) verify(paths io.Reader) (n int, err error) {
	lines := bufio.NewScanner(paths)
	for lines.Scan() {
		if s.ctx.Err() != nil {
			return n, s.ctx.Err()
		}
		if _, err := s.check(lines.Text()); err != nil {
			return n, err
		}
		n++
	}
	return n, lines.Err()
}

// check returns what the store has for a file, or an error if that is not what the file has.
func (s *store) check(name string) ([]byte, error) {
	want, err := s.tree.read(name)
	if err != nil {
		return nil, err
	}
	got, err := s.db.Get([]byte(name))
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	if !bytes.Equal(got, want) {
		return nil, fmt.Errorf("%s differs: %d bytes in the store, %d in the file", name, len(got), len(want))
	}
	return got, nil
}

// scan returns how many files there are in a directory and below, and how large they are together.
func (s *store) scan(dir string) (files int, bytes int64, err error) {
	for item, err := range s.db.Scan(tinykv.Prefix([]byte(dir))) {
		if err != nil {
			return files, bytes, err
		}
		files++
		bytes += int64(len(item.Value))
	}
	return files, bytes, nil
}
