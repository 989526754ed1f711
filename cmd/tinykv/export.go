package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/interchange"
)

type exportCommand struct {
	hexFlag
	bucketFlag
	rangeFlags
	progressFlag
	Format    string   `enum:",csv,json,jsonl" default:"" placeholder:"FORMAT" help:"csv, json or jsonl. Default: what the name of the file ends in, or jsonl."`
	KeysOnly  bool     `short:"k" help:"Write no values."`
	Seq       bool     `help:"Write the number of the write that made each, in JSON."`
	Columns   []string `placeholder:"NAME" help:"The columns of CSV, of key, value, expires_at, key_hex and value_hex. Default: all of them."`
	Separator string   `default:"," placeholder:"C" help:"What separates the fields of CSV; tab for a tab."`
	Overwrite bool     `help:"Replace the file, if it is there."`
	File      string   `arg:"" optional:"" default:"-" help:"The file, or - for standard output. One that ends in .gz is compressed."`
}

// Run exports a range as it is at this moment.
func (c *exportCommand) Run(e *environment) error {
	r, err := c.bounds(c.hexFlag)
	if err != nil {
		return err
	}
	o := &interchange.ExportOptions{KeysOnly: c.KeysOnly, Seq: c.Seq, Columns: c.Columns}
	if o.Format, err = formatOf(c.Format, c.File, interchange.JSONLines); err != nil {
		return err
	}
	if o.Comma, err = separator(c.Separator); err != nil {
		return err
	}
	if err := c.vacant(); err != nil {
		return err
	}
	return e.at(streaming(tinykv.Options{ReadOnly: true}), func(at site) error {
		total := c.estimate(at, r)
		var done exported
		m := c.meter(e)
		m.during(func() {
			err = c.to(e, func(w io.Writer) error { return at.dump(w, c, r, o, &done) })
		}, func() step {
			s := step{Phase: "exporting", Done: done.items.Load(), Total: total, Unit: "keys", Note: sizeText(done.bytes.Load())}
			if s.Total = max(s.Total, s.Done); s.Done == 0 {
				s = step{Phase: s.Phase, Done: done.bytes.Load()}
			}
			return s
		})
		m.end()
		if err == nil && c.File != "-" {
			c.tell(e, &done)
		}
		return m.stopped(err)
	})
}

// vacant refuses a file that is there, which may be what somebody wants to import.
func (c *exportCommand) vacant() error {
	if c.File == "-" || c.Overwrite {
		return nil
	}
	if info, err := os.Stat(c.File); err == nil && info.Mode().IsRegular() {
		return usageError{c.File + " is there already; say --overwrite to replace it, or choose another name"}
	}
	return nil
}

// exported is what was exported so far. A server does not tell how many items that are.
type exported struct{ items, bytes atomic.Int64 }

func (c *exportCommand) tell(e *environment, done *exported) {
	if n := done.items.Load(); n > 0 {
		e.printf("%s, ", countText(uint64(n), "key"))
	}
	e.printf("%s\n", sizeText(done.bytes.Load()))
}

func (l local) dump(w io.Writer, c *exportCommand, r tinykv.Range, o *interchange.ExportOptions, done *exported) error {
	o.Progress = func(r interchange.ExportReport) {
		done.items.Store(r.Items)
		done.bytes.Store(r.Bytes)
	}
	_, err := interchange.Export(l.e.ctx, w, l.bucket(c.Bucket).scan(r, scanning{keysOnly: c.KeysOnly}), o)
	return err
}

// estimate tells about how many keys there are in a range, 0 where nothing is known.
func (c *exportCommand) estimate(at site, r tinykv.Range) int64 {
	part, err := at.bucket(c.Bucket).size(r)
	all, err2 := at.bucket("").size(tinykv.All())
	numbers, err3 := at.metrics()
	if c.Bucket != "" || errors.Join(err, err2, err3) != nil || all == 0 {
		return 0
	}
	return int64(float64(numbers.Keys) * float64(part) / float64(all))
}

// to calls fn with where the export goes.
func (c *exportCommand) to(e *environment, fn func(w io.Writer) error) error {
	if c.File == "-" {
		return fn(e.out)
	}
	write := fn
	if strings.HasSuffix(c.File, ".gz") {
		write = func(w io.Writer) error {
			z := gzip.NewWriter(w)
			return errors.Join(fn(z), z.Close())
		}
	}
	return replaceFile(e.ctx, c.File, write)
}

// replaceFile writes a file under another name, and gives it its own when it is whole and on stable storage. When that fails, what was there
// before is as it was.
func replaceFile(ctx context.Context, name string, write func(w io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	w := bufio.NewWriter(f)
	if err := errors.Join(write(w), w.Flush(), context.Cause(ctx)); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
