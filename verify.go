package tinykv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/tinykv/tinykv/vfs"
)

// VerifyOptions say how a store is verified. Nil stands for all defaults.
type VerifyOptions struct {
	// FS is the file system for the function [Verify]; DB.Verify reads that of the store. Default: the
	// operating system's.
	FS vfs.FS

	// MaxProblems is how many problems the report lists; it counts all. Default: 100.
	MaxProblems int

	// Progress is called as files are read, from the goroutine that verifies. Default: nobody.
	Progress func(VerifyProgress)
}

// VerifyProgress tells how far a verification is.
type VerifyProgress struct {
	Phase    string // manifest, log or tables
	File     string // path of the file at hand, empty where it is several
	Done     int64  // bytes that were read
	Total    int64  // bytes that are to be read in all
	Problems int    // found so far
}

// VerifyReport is what a verification found.
type VerifyReport struct {
	Dir string `json:"dir"`

	// What was looked at. Entries are those of tables, RangeDeletes the spans of range tombstones beside
	// them.
	Tables       int           `json:"tables"`
	Blocks       uint64        `json:"blocks"`
	Entries      uint64        `json:"entries"`
	RangeDeletes uint64        `json:"range_deletes"`
	Bytes        int64         `json:"bytes"` // of all files
	LogSegments  int           `json:"log_segments"`
	LogRecords   int           `json:"log_records"`
	Edits        int           `json:"manifest_edits"`
	Duration     time.Duration `json:"duration_ns"`

	// Unreferenced are the names of files in the directory that the store does not need. That is no
	// damage: a crash leaves some, which the next opening removes, and others were put there by somebody
	// else. A DB that is written to names the latter alone.
	Unreferenced []string `json:"unreferenced,omitempty"`

	// Problems is the damage, in the order in which it was found, up to VerifyOptions.MaxProblems, and
	// ProblemCount how much there is in all. All of them match ErrCorrupt. An Offset of -1 is not known.
	Problems     []*CorruptionError `json:"-"`
	ProblemCount int                `json:"problem_count"`

	// Stopped tells that a context ended before all was looked at: what is said is true of what was.
	Stopped bool `json:"stopped,omitempty"`
}

// Err returns nil when no damage was found, and otherwise an error that matches ErrCorrupt and tells of
// the first.
func (r *VerifyReport) Err() error {
	switch r.ProblemCount {
	case 0:
		return nil
	case 1:
		return r.Problems[0]
	default:
		return fmt.Errorf("%d problems; the first: %w", r.ProblemCount, r.Problems[0])
	}
}

// String returns the report as text of several lines.
func (r *VerifyReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s in %.2f s\n", r.Dir, sizeText(r.Bytes), r.Duration.Seconds())
	fmt.Fprintf(&b, "tables: %d, with %d blocks, %d entries, %d range deletions\n", r.Tables, r.Blocks, r.Entries, r.RangeDeletes)
	fmt.Fprintf(&b, "log: %d segments, %d records; manifest: %d edits\n", r.LogSegments, r.LogRecords, r.Edits)
	for _, name := range r.Unreferenced {
		fmt.Fprintf(&b, "not needed: %s\n", name)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "damaged: %s", filepath.Base(p.File))
		if p.Offset >= 0 {
			fmt.Fprintf(&b, ", offset %d", p.Offset)
		}
		fmt.Fprintf(&b, "\n  %s: %s\n", p.What, p.Detail)
		if p.Cause != nil {
			fmt.Fprintf(&b, "  %v\n", p.Cause)
		}
	}
	if r.Stopped {
		b.WriteString("stopped before all was looked at; so far:\n")
	}
	switch more := r.ProblemCount - len(r.Problems); {
	case r.ProblemCount == 0:
		b.WriteString("no damage\n")
	case r.ProblemCount == 1:
		b.WriteString("1 problem\n")
	case more > 0:
		fmt.Fprintf(&b, "%d problems, of which %d are not listed\n", r.ProblemCount, more)
	default:
		fmt.Fprintf(&b, "%d problems\n", r.ProblemCount)
	}
	return b.String()
}

// Verify reads all that the store in a directory consists of and checks it: CURRENT and the manifest,
// the log as far as it is needed, every block of every table against its checksum, its neighbours, its filter and
// what is said of it elsewhere. It writes nothing and goes on behind damage, which the report lists; where the manifest cannot be
// read, it looks at every table there is. What a log may lose without a trace is told in docs/GUARANTEES.md.
// Others may have the store open with Options.ReadOnly meanwhile.
//
// The error tells why the store could not be verified: ErrLocked while it is open for writing, ErrMissing where there is none,
// ErrFormatTooNew, ErrInvalidOption, those of the file system, or the cause of a context that has ended; the last comes with the report of what was found until then.
func Verify(ctx context.Context, dir string, opts *VerifyOptions) (*VerifyReport, error) {
	o, err := opts.complete(ctx)
	if err != nil {
		return nil, err
	}
	if dir == "" {
		return nil, errNoDirectory
	}
	report, err := verifyDir(ctx, dir, o)
	if err != nil {
		return report, fmt.Errorf("verify %s: %w", dir, err)
	}
	return report, nil
}

// complete returns a validated copy.
func (o *VerifyOptions) complete(ctx context.Context) (*VerifyOptions, error) {
	var c VerifyOptions
	if o != nil {
		c = *o
	}
	setDefault(&c.MaxProblems, 100)
	switch {
	case ctx == nil:
		return nil, errNilContext
	case c.MaxProblems < 0:
		return nil, invalid("MaxProblems", c.MaxProblems, "1 or more")
	}
	if c.FS == nil {
		c.FS = vfs.OS()
	}
	if c.Progress == nil {
		c.Progress = func(VerifyProgress) {}
	}
	return &c, nil
}

func verifyDir(ctx context.Context, dir string, o *VerifyOptions) (_ *VerifyReport, err error) {
	info, err := o.FS.Stat(dir)
	switch {
	case errors.Is(err, errNotExist), err == nil && info.IsRegular:
		return nil, ErrMissing
	case err != nil:
		return nil, err
	}
	lock, err := sharedLock(&Options{FS: o.FS}, lockName(dir))
	if errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("%w; close that one, or call its Verify", err)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	return newVerification(ctx, dir, o.FS, o).store()
}

// Verify is [Verify] for a store that is open, while it is read and written. It looks at the tables and
// the manifest as they are on disk when the call begins, whatever was read and verified before, and leaves the caches alone.
// The log of a store that is open for writing is not looked at: it grows meanwhile, and memory holds what is in it.
// Errors: ErrClosed, also when the store is closed meanwhile; ErrInvalidOption, also for VerifyOptions.FS; those of the
// file system, and the cause of a context that has ended.
func (db *DB) Verify(ctx context.Context, opts *VerifyOptions) (*VerifyReport, error) {
	o, err := opts.complete(ctx)
	if err == nil && opts != nil && opts.FS != nil {
		err = invalid("FS", opts.FS, "nil: a DB has its own")
	}
	if err != nil {
		return nil, db.unlessClosed(err)
	}
	s, err := db.acquire()
	if err != nil {
		return nil, err
	}
	defer s.unref()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(db.background, func() { cancel(ErrClosed) })()
	v := newVerification(ctx, db.dir, db.fs, o)
	run := func() (*VerifyReport, error) { return v.live(db, s) }
	if db.opts.ReadOnly {
		run = v.store
	}
	report, err := run()
	if db.background.Err() != nil { // another opener may have changed the files
		return nil, ErrClosed
	}
	if report == nil {
		return nil, fmt.Errorf("verify %s: %w", db.dir, err)
	}
	for _, p := range report.Problems {
		db.met(p)
	}
	return report, err
}
