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
	return e.with(streaming(tinykv.Options{ReadOnly: true}), func(db *tinykv.DB) error {
		m := c.meter(e)
		total := c.estimate(db, r)
		o.Progress = func(r interchange.ExportReport) {
			m.update(step{Phase: "exporting", Done: r.Items, Total: max(total, r.Items), Unit: "keys", Note: sizeText(r.Bytes)})
		}
		var report interchange.ExportReport
		err := c.to(e, func(w io.Writer) (err error) {
			report, err = interchange.Export(e.ctx, w, c.of(db).Scan(r, c.scanOptions()...), o)
			return err
		})
		m.end()
		if err == nil && c.File != "-" {
			e.printf("%s, %s\n", countText(uint64(report.Items), "key"), sizeText(report.Bytes))
		}
		return m.stopped(err)
	})
}

func (c *exportCommand) scanOptions() []tinykv.ScanOption {
	if c.KeysOnly {
		return []tinykv.ScanOption{tinykv.KeysOnly}
	}
	return nil
}

// estimate tells about how many keys there are in a range, 0 where nothing is known.
func (c *exportCommand) estimate(db *tinykv.DB, r tinykv.Range) int64 {
	if c.Bucket != "" {
		return 0
	}
	part, err := db.EstimateSize(r)
	all, err2 := db.EstimateSize(tinykv.All())
	if errors.Join(err, err2) != nil || all == 0 {
		return 0
	}
	return int64(float64(db.Metrics().Keys) * float64(part) / float64(all))
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
