package main

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/interchange"
)

type exportCommand struct {
	bucketFlag
	rangeFlags
	progressFlag
	Hex        bool     `short:"x" help:"--prefix, --lower and --upper are hexadecimal. The output is not: what is no text stands in it as digits anyway."`
	Format     string   `enum:",csv,json,jsonl" default:"" placeholder:"FORMAT" help:"csv, json or jsonl. Default: what the name of the file ends in, or jsonl."`
	KeysOnly   bool     `short:"k" help:"Write no values."`
	Seq        bool     `help:"Write the number of the write that made each, in JSON."`
	AllBuckets bool     `help:"What is outside of buckets, and what is in each of them, which is told. Not in CSV."`
	Columns    []string `placeholder:"NAME" help:"The columns of CSV, of key, value, expires_at, key_hex and value_hex. Default: all of them."`
	Separator  string   `given:"" placeholder:"C" help:"What separates the fields of CSV; tab for a tab."`
	Overwrite  bool     `help:"Replace the file, if it is there."`
	File       string   `arg:"" optional:"" default:"-" help:"The file, or - for standard output. One that ends in .gz is compressed."`
}

// Run exports a range as it is at this moment.
func (c *exportCommand) Run(e *environment) error {
	if c.AllBuckets && c.Bucket != "" {
		return usageError{"--bucket names one, --all-buckets means all; say one of them"}
	}
	r, err := c.bounds(hexFlag{c.Hex})
	if err != nil {
		return err
	}
	to, err := destinationOf(c.File, c.Overwrite)
	if err != nil {
		return err
	}
	o, err := c.options(to)
	if err != nil {
		return err
	}
	lean()
	return e.at(streaming(tinykv.Options{ReadOnly: true}), func(at site) error {
		if _, err := c.in(at); err != nil {
			return err
		}
		total := c.estimate(at, r)
		var done exported
		m := c.meter(e)
		m.during(func() {
			err = to.write(e, func(w io.Writer) error { return at.dump(w, c, r, o, &done) })
		}, func() step {
			s := step{Phase: "exporting", Done: done.items.Load(), Total: total, Unit: "keys", Note: sizeText(done.bytes.Load())}
			if s.Total = max(s.Total, s.Done); s.Done == 0 {
				s = step{Phase: s.Phase, Done: done.bytes.Load()}
			}
			return s
		})
		m.end()
		if err == nil && to.kind != toOutput {
			c.tell(e, &done)
		}
		return m.stopped(err)
	})
}

// options refuses what would do nothing in the format, so that nobody believes it was done.
func (c *exportCommand) options(to *destination) (o *interchange.ExportOptions, err error) {
	o = &interchange.ExportOptions{KeysOnly: c.KeysOnly, Seq: c.Seq, Columns: c.Columns}
	byDefault := interchange.JSONLines
	if to.kind == toFile && filepath.Ext(strings.TrimSuffix(c.File, ".gz")) != "" {
		byDefault = 0
	}
	if o.Format, err = formatOf(c.Format, c.File, byDefault); err != nil {
		return nil, err
	}
	o.Comma, err = separatorOf(c.Separator, o.Format)
	return o, err
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
	if c.AllBuckets {
		_, err := interchange.ExportAll(l.e.ctx, w, l.db, r, o)
		return err
	}
	_, err := interchange.Export(l.e.ctx, w, l.bucket(c.Bucket).scan(r, scanning{keysOnly: c.KeysOnly}), o)
	return err
}

// estimate tells about how many keys there are in a range, 0 where nothing is known.
func (c *exportCommand) estimate(at site, r tinykv.Range) int64 {
	part, err := at.bucket(c.Bucket).size(r)
	all, err2 := at.bucket("").size(tinykv.All())
	numbers, err3 := at.metrics()
	if c.Bucket != "" || c.AllBuckets || errors.Join(err, err2, err3) != nil || all == 0 {
		return 0
	}
	return int64(float64(numbers.Keys) * float64(part) / float64(all))
}
