package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/interchange"
)

// streaming are options for a store of which all is read or written once: little memory, which more would not make faster, and no mapped
// files, so that what the process holds is what it needs.
func streaming(o tinykv.Options) *tinykv.Options {
	o.MemoryBudget, o.Mapping = 128<<20, tinykv.MapOff
	return &o
}

// leanHeap is from how much memory on the garbage collector lets nothing lie around. Rows seldom need as much; for one of hundreds of megabytes, buffers that
// grew would otherwise stay as long as those in use.
const leanHeap = 256 << 20

// lean keeps the memory of this process small, unless its user has said how much there is.
func lean() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(leanHeap)
	}
}

// maxImportRow is how long a row may be: a value of the greatest size as hexadecimal digits, and its key.
const maxImportRow = min(2<<30+1<<20, math.MaxInt/8)

type importCommand struct {
	bucketFlag
	progressFlag
	Create     bool     `help:"Make the store if it is not there."`
	Format     string   `enum:",csv,json,jsonl" default:"" placeholder:"FORMAT" help:"csv, json or jsonl. Default: what the name of the file ends in."`
	Key        string   `given:"" placeholder:"TEMPLATE" help:"What keys are made of, as user/{id}: the text, and fields of the row. Default: rows are keys with their values."`
	Value      string   `given:"" placeholder:"FIELD" help:"With --key: the field that is the value. Default: the whole row, as JSON."`
	Columns    []string `placeholder:"NAME" help:"Names of the columns of CSV that has no header, as key,,value; those without a name are left out."`
	Separator  string   `given:"" placeholder:"C" help:"What separates the fields of CSV; tab for a tab."`
	Numbers    bool     `help:"Fields of CSV that are numbers become numbers in JSON, not strings."`
	AllBuckets bool     `help:"Rows tell the buckets that they are in, as an export of all writes it."`
	OnConflict string   `enum:"overwrite,skip,fail" default:"overwrite" placeholder:"WHAT" help:"What to do with keys that are there: overwrite, skip or fail. Default: overwrite."`
	DryRun     bool     `short:"n" help:"Check everything, and write nothing."`
	FromRow    int64    `placeholder:"N" help:"Pass the rows before this one, as an import that stopped said."`
	MaxErrors  int      `placeholder:"N" help:"Leave out so many rows that are wrong before giving up; -1: any number. Default: 0, or 100 in a dry run."`
	JSON       bool     `name:"json" help:"Tell what was done as JSON."`
	File       string   `arg:"" help:"The file, or - for standard input. What is compressed by gzip is unpacked."`
}

// Run imports a file, and tells what became of its rows.
func (c *importCommand) Run(e *environment) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	in, err := c.open(e)
	if err != nil {
		return err
	}
	defer in.Close()
	lean()
	return e.at(streaming(tinykv.Options{ErrorIfMissing: !c.Create}), func(at site) error {
		report, err := c.load(e, at, in, o)
		if report == nil {
			return err
		}
		return errors.Join(c.tell(e, report), c.stopped(report, err))
	})
}

// load has the store read the file, and tells meanwhile how much of it was read.
func (c *importCommand) load(e *environment, at site, in *source, o *interchange.ImportOptions) (report *interchange.ImportReport, err error) {
	var rows atomic.Int64
	o.Progress = func(r interchange.ImportReport) { rows.Store(r.Rows) }
	m := c.meter(e)
	defer m.end()
	m.during(func() { report, err = at.load(in, c, o) }, func() step {
		s := step{Phase: c.phase(), Done: in.read.Load(), Total: in.size}
		if n := rows.Load(); n > 0 {
			s.Note = countText(uint64(n), "row")
		}
		return s
	})
	return report, err
}

func (l local) load(in io.Reader, _ *importCommand, o *interchange.ImportOptions) (*interchange.ImportReport, error) {
	return interchange.Import(l.e.ctx, l.db, in, o)
}

func (c *importCommand) phase() string {
	if c.DryRun {
		return "checking"
	}
	return "importing"
}

func (c *importCommand) options() (*interchange.ImportOptions, error) {
	o := &interchange.ImportOptions{
		Bucket: c.Bucket, AllBuckets: c.AllBuckets, Value: c.Value, Columns: c.Columns, Numbers: c.Numbers, DryRun: c.DryRun,
		FromRow: c.FromRow, MaxErrors: c.MaxErrors, MaxRow: maxImportRow,
	}
	if c.DryRun && c.MaxErrors == 0 {
		o.MaxErrors = 100
	}
	var err error
	if o.Format, err = formatOf(c.Format, c.File, 0); err != nil {
		return nil, err
	}
	if o.Comma, err = separatorOf(c.Separator, o.Format); err != nil {
		return nil, err
	}
	if o.OnConflict, err = interchange.ParseConflict(c.OnConflict); err != nil {
		return nil, usageError{err.Error()}
	}
	if c.Key != "" {
		if o.Key, err = interchange.ParseTemplate(c.Key); err != nil {
			return nil, usageError{err.Error()}
		}
	}
	return o, nil
}

// formatOf returns the format of a name, or that of a file, or, for 0 a mistake, the default.
func formatOf(name, file string, byDefault interchange.Format) (interchange.Format, error) {
	if name != "" {
		return interchange.ParseFormat(name)
	}
	if f, _ := interchange.FormatOf(file); f != 0 {
		return f, nil
	}
	if byDefault == 0 {
		return 0, usageError{"which format that is the name does not tell; say --format csv, json or jsonl"}
	}
	return byDefault, nil
}

// separatorOf returns what stands between the fields of CSV, which other formats have not; 0 where nobody says.
func separatorOf(s string, f interchange.Format) (byte, error) {
	switch {
	case s == "":
		return 0, nil
	case f != interchange.CSV:
		return 0, usageError{"--separator is for CSV; the format is " + f.String()}
	case s == "tab" || s == `\t`:
		return '\t', nil
	case len(s) != 1:
		return 0, usageError{"--separator wants one character of ASCII, or tab"}
	default:
		return s[0], nil
	}
}

// tell tells what was done.
func (c *importCommand) tell(e *environment, r *interchange.ImportReport) error {
	if c.JSON {
		return e.json(r)
	}
	for i := range r.Errors {
		e.say("tinykv: %s: %v", c.File, &r.Errors[i])
	}
	would := ""
	if c.DryRun {
		would = "would be "
	}
	e.printf("%s %simported, %d skipped, %d wrong and left out\n", countText(uint64(r.Imported), "row"), would, r.Skipped, r.Failed)
	return nil
}

// importError is an import that stopped, with what is to be done next.
type importError struct {
	cause error
	text  string
}

func (e importError) Error() string { return e.text }

// Unwrap returns the cause, unless that is the file: what is wrong with it is not wrong with the command line.
func (e importError) Unwrap() error {
	if errors.Is(e.cause, interchange.ErrInput) || errors.Is(e.cause, errBadRequest) {
		return nil
	}
	return e.cause
}

func (c *importCommand) stopped(r *interchange.ImportReport, err error) error {
	if err == nil && c.DryRun && r.Failed > 0 {
		return quietError{fmt.Errorf("%d rows are wrong", r.Failed)} // each was told; a script learns it by the exit code
	}
	if err == nil {
		return nil
	}
	what := strings.TrimPrefix(err.Error(), "tinykv: ")
	if errors.Is(err, context.Canceled) {
		what = "interrupted"
	}
	if r.Rows == 0 || c.DryRun {
		return importError{err, fmt.Sprintf("%s: %s; nothing was imported", c.File, what)}
	}
	return importError{err, fmt.Sprintf(
		"%s: %s; everything up to row %d is in the store, and nothing behind it: go on with --from-row %d", c.File, what, r.Rows, r.Rows+1)}
}
