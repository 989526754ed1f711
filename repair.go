package tinykv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/onebit"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/vfs"
)

// A damaged store is repaired by copying what is provably good into a new one. Nothing in it is changed.
//
//  1. The manifest says which tables there are (manifest.Salvage). Where it cannot be known that it
//     says so of the newest state, everything is in doubt.
//  2. The tables are merged. Each part of a table that cannot be read is a gap: a stretch of keys, and
//     the newest sequence number that may have been in it. The newest version of a key that can be
//     read is good unless a gap may have held a newer one, or a tombstone.
//  3. The log is replayed on top, up to where it is damaged.
//
// What is in doubt is left out, or copied as well where RepairOptions.KeepDoubtful says so. The reasons stand
// in docs/decisions/0011-repair.md.

// RepairOptions say how a store is repaired. Nil stands for all defaults.
type RepairOptions struct {
	// FS is the file system of both directories. Default: the operating system's.
	FS vfs.FS

	// KeepDoubtful copies what is in doubt, too: the newest version that can be read of a key, though a newer one may have been in
	// a damaged place; log records behind a damaged one; and, where no manifest says which tables count, all
	// that there are. So deleted keys may come back, and values that were overwritten. Default: what is in doubt
	// is left out.
	KeepDoubtful bool

	// MaxDamages is how many places of damage the report lists; it counts all. Default: 100.
	MaxDamages int

	// Progress is called as files are read, from the goroutine that repairs. Default: nobody.
	Progress func(RepairProgress)
}

// RepairProgress tells how far a repair is.
type RepairProgress struct {
	Phase   string // manifest, log or tables
	File    string // path of the file at hand, empty where it is several
	Done    int64  // bytes that were read
	Total   int64  // bytes that are to be read in all
	Copied  uint64 // entries and log records so far
	Damages int    // places found so far
}

// complete returns a validated copy.
func (o *RepairOptions) complete(ctx context.Context) (*RepairOptions, error) {
	var c RepairOptions
	if o != nil {
		c = *o
	}
	setDefault(&c.MaxDamages, 100)
	switch {
	case ctx == nil:
		return nil, errNilContext
	case c.MaxDamages < 0:
		return nil, invalid("MaxDamages", c.MaxDamages, "1 or more")
	}
	if c.FS == nil {
		c.FS = vfs.OS()
	}
	if c.Progress == nil {
		c.Progress = func(RepairProgress) {}
	}
	return &c, nil
}

// Repair copies what is provably good in the store in directory src into a new store in directory dst, and
// reports the rest. It never writes to src, which nobody may have open for writing meanwhile. dst must be empty or not
// exist, and not lie in src. A Repair that fails or is stopped leaves dst empty; what one leaves whose process dies
// is refused by Open. Memory is bounded, whatever the size of the store.
//
// A value that is copied is the one that the key had when the store was at RepairReport.LastSeq: after the last write that is
// there, or, where the log is damaged, the last one before the damage. The report says what is missing; its Err is nil when nothing is.
//
// The error tells why the store could not be repaired: ErrLocked while src is open for writing, ErrMissing where
// there is no store, ErrExists when dst is not empty, ErrFormatTooNew, ErrInvalidOption, those of the
// file system in writing, or the cause of a context that has ended; the last two come with the report so far.
func Repair(ctx context.Context, src, dst string, opts *RepairOptions) (*RepairReport, error) {
	o, err := opts.complete(ctx)
	if err != nil {
		return nil, err
	}
	if src == "" {
		return nil, errNoDirectory
	}
	report, err := repairDir(ctx, src, dst, o)
	if err != nil {
		return report, fmt.Errorf("repair %s: %w", src, err)
	}
	return report, nil
}

// repair is a repair under way.
type repair struct {
	ctx  context.Context
	o    *RepairOptions
	opts *Options // only FS
	src  string

	list   *listing
	books  *manifest.Salvaged
	log    repairLog
	lastSq key.SeqNum // that tables hold
	at     RepairProgress
	begun  time.Time
	report *RepairReport
	gaps   int           // found so far
	mend   onebit.Budget // for finding flipped bits
}

func repairDir(ctx context.Context, src, dst string, o *RepairOptions) (_ *RepairReport, err error) {
	if err := checkApart(o.FS, src, dst); err != nil {
		return nil, err
	}
	info, err := o.FS.Stat(src)
	switch {
	case errors.Is(err, errNotExist), err == nil && info.IsRegular:
		return nil, ErrMissing
	case err != nil:
		return nil, err
	}
	lock, err := sharedLock(&Options{FS: o.FS}, lockName(src))
	if errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("%w; close that one first", err)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	r := &repair{
		ctx: ctx, o: o, opts: &Options{FS: o.FS}, src: src, begun: time.Now(),
		report: &RepairReport{Src: src, Dst: dst, KeptDoubtful: o.KeepDoubtful, Damages: []*RepairDamage{}},
	}
	r.mend.Stop = func() bool { return ctx.Err() != nil }
	fsys := o.FS
	if err := r.readBooks(); err != nil {
		return nil, err
	}
	copied, err := newRepairCopy(fsys, dst, r.operator(), r.spaces())
	if err != nil {
		return nil, err
	}
	if err = r.copyTo(copied); err == nil {
		err = copied.finish()
	}
	if err != nil {
		err = errors.Join(err, copied.abandon())
	}
	r.finish()
	return r.report, err
}

// checkApart sees that a directory does not lie in another, as far as names and links tell.
func checkApart(fsys vfs.FS, src, dst string) error {
	if dst == "" {
		return fmt.Errorf("%w: the directory for the copy has no name", ErrInvalidOption)
	}
	from, err := filepath.Abs(src)
	to, err2 := filepath.Abs(dst)
	if err = errors.Join(err, err2); err != nil {
		return err
	}
	rel, err := filepath.Rel(realPath(fsys, from), realPath(fsys, to))
	if err == nil && src != "" && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return fmt.Errorf("%w: the copy would lie in %s, which is not changed; choose a directory elsewhere", ErrInvalidOption, src)
	}
	return nil
}

// realPath follows the links in a path, as far as it exists and its file system has links.
func realPath(fsys vfs.FS, path string) string {
	linked, ok := fsys.(interface {
		FollowLinks(path string) (string, error)
	})
	if !ok {
		return path
	}
	for dir, rest := path, ""; ; dir, rest = filepath.Dir(dir), filepath.Join(filepath.Base(dir), rest) {
		if to, err := linked.FollowLinks(dir); err == nil {
			return filepath.Join(to, rest)
		}
		if dir == filepath.Dir(dir) {
			return path
		}
	}
}

// readBooks finds out which tables and which part of the log count.
func (r *repair) readBooks() (err error) {
	r.list, err = listDespite(r.opts, r.src, func(path string, err error) error {
		r.at.File = path
		r.damage(err)
		return nil // whoever needs it finds that it cannot be read
	})
	if err != nil {
		return err
	}
	if !r.list.hasCurrent {
		if err := findRest(r.opts, r.src, r.list); err == nil && len(r.list.manifests) == 0 {
			return ErrMissing
		}
	}
	r.begin("manifest", "")
	r.mend.Left = mendWork(r.sizes())
	r.mendFiles()
	cacheID := r.o.FS.CacheID(r.src)
	r.books, err = manifest.Salvage(manifest.Options{FS: r.o.FS, Dir: r.src, CacheID: cacheID}, r.list.manifests, func(err error) { r.damage(err) })
	if err != nil {
		return err
	}
	r.lastSq = key.SeqNum(r.books.LastSeq)
	if k := r.books.Known; k != nil {
		r.lastSq = k.LastSeq
	}
	if err := r.scanLog(cacheID); err != nil {
		return err
	}
	for _, num := range r.list.tables {
		r.at.Total += r.size(r.path(manifest.FileTable, num))
	}
	return nil
}

// copyTo copies tables, then the log.
func (r *repair) copyTo(to *repairCopy) error {
	tables, err := r.runs()
	if err != nil {
		return err
	}
	if err := r.copyTables(tables, to); err != nil {
		return err
	}
	return r.copyLog(to)
}

// mendWork returns how much work may go into finding flipped bits, see onebit.Budget, in a store of some size: about a second for each
// MB, as a store that was made to be slow to repair must not take more than 2 s for that; as much for less than a MB, and
// some 13 seconds at most.
func mendWork(size int64) int64 {
	const perMB, most = 10_000_000_000, 1 << 37
	return min(max(size, 1e6), most/perMB*1e6) / 1e3 * (perMB / 1e3)
}

// sizes returns the bytes of all files of the store.
func (r *repair) sizes() (total int64) {
	for kind, nums := range map[manifest.FileKind][]manifest.FileNum{
		manifest.FileTable: r.list.tables, manifest.FileLog: r.list.logs, manifest.FileManifest: r.list.manifests,
	} {
		for _, num := range nums {
			total += r.size(r.path(kind, num))
		}
	}
	return total
}

// mended notes what was put right.
func (r *repair) mended(err error) {
	r.damage(err).Mended = true
	r.report.Mended++
}

// finish completes the report.
func (r *repair) finish() {
	rep := r.report
	rep.StateUnknown = r.books.Known == nil
	rep.Complete = !rep.StateUnknown && r.gaps == 0 && !r.log.damaged && rep.Lost == 0 && rep.Doubtful == 0 && len(rep.Unnamed) == 0
	rep.Bytes = r.at.Done
	rep.Duration = time.Since(r.begun)
	rep.Unused = append(rep.Unused, r.list.unknown...)
	slices.Sort(rep.Unused)
}

// damage notes a place of damage. An error that is none tells that a file cannot be read.
func (r *repair) damage(err error) *RepairDamage {
	var c *CorruptionError
	if !errors.As(err, &c) {
		c = corrupt.Errorf("file", "cannot be read").In(r.at.File)
		c.Cause = err
	}
	d := &RepairDamage{File: c.File, Offset: c.Offset, What: c.What, Detail: c.Detail, Err: c}
	if c.Cause != nil {
		d.Detail += ": " + c.Cause.Error()
	}
	r.report.DamageCount++
	r.at.Damages = r.report.DamageCount
	if len(r.report.Damages) < r.o.MaxDamages {
		r.report.Damages = append(r.report.Damages, d)
	}
	return d
}

// begin turns to a file, or to several.
func (r *repair) begin(phase, file string) {
	r.at.Phase, r.at.File = phase, file
	r.o.Progress(r.at)
}

func (r *repair) progress(bytes int64) {
	r.at.Done += bytes
	r.at.Copied = r.report.Entries + uint64(r.report.LogRecords)
	r.o.Progress(r.at)
}

func (r *repair) path(kind manifest.FileKind, num manifest.FileNum) string {
	return filepath.Join(r.src, manifest.Name(kind, num))
}

// size returns the length of a file, or 0.
func (r *repair) size(path string) int64 {
	info, err := r.o.FS.Stat(path)
	if err != nil {
		return 0
	}
	return info.SizeBytes
}
