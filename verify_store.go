package tinykv

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/tinykv/tinykv/internal/batchrepr"
	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/wal"
)

// verification is a verification under way.
type verification struct {
	ctx     context.Context
	opts    *Options // only FS
	dir     string
	cacheID string
	limit   int
	tell    func(VerifyProgress)

	at     VerifyProgress
	begun  time.Time
	report *VerifyReport
}

func newVerification(ctx context.Context, dir string, fsys vfs.FS, o *VerifyOptions) *verification {
	return &verification{
		ctx: ctx, opts: &Options{FS: fsys}, dir: dir, cacheID: fsys.CacheID(dir),
		limit: o.MaxProblems, tell: o.Progress,
		begun: time.Now(), report: &VerifyReport{Dir: dir},
	}
}

// finish returns the report, and the error of a context that has ended.
func (v *verification) finish() (*VerifyReport, error) {
	v.report.Bytes = v.at.Done
	v.report.Duration = time.Since(v.begun)
	if v.ctx.Err() != nil {
		v.report.Stopped = true
		return v.report, context.Cause(v.ctx)
	}
	return v.report, nil
}

// problem lists damage. An error that is none tells that a file cannot be read.
func (v *verification) problem(err error) {
	var c *CorruptionError
	if !errors.As(err, &c) {
		c = corrupt.Errorf("file", "cannot be read").In(v.at.File)
		c.Cause = err
	}
	v.report.ProblemCount++
	v.at.Problems = v.report.ProblemCount
	if len(v.report.Problems) < v.limit {
		v.report.Problems = append(v.report.Problems, c)
	}
}

// begin turns to a file, or to several.
func (v *verification) begin(phase, file string) {
	v.at.Phase, v.at.File = phase, file
	v.tell(v.at)
}

func (v *verification) progress(bytes int64) {
	v.at.Done += bytes
	v.tell(v.at)
}

func (v *verification) path(kind manifest.FileKind, num manifest.FileNum) string {
	return filepath.Join(v.dir, manifest.Name(kind, num))
}

// size returns the length of a file, or 0.
func (v *verification) size(path string) int64 {
	info, err := v.opts.FS.Stat(path)
	if err != nil {
		return 0
	}
	return info.SizeBytes
}

// store verifies a store that nobody writes to.
func (v *verification) store() (*VerifyReport, error) {
	l, err := list(v.opts, v.dir)
	if err != nil {
		return nil, err
	}
	loaded, err := manifest.Load(manifest.Options{FS: v.opts.FS, Dir: v.dir, CacheID: v.cacheID})
	if loaded == nil && err == nil {
		if err = findRest(v.opts, v.dir, l); err == nil {
			return nil, ErrMissing
		}
	}
	switch {
	case err != nil && !errors.Is(err, ErrCorrupt):
		return nil, err
	case err != nil:
		v.problem(err)
		v.strayTables(l)
		return v.finish()
	}
	v.at.Total = v.totalBytes(loaded, l)
	v.manifest(loaded)
	needed, err := v.log(loaded, l)
	if err != nil {
		return v.report, err
	}
	v.tables(loaded.Version)
	v.report.Unreferenced = unreferenced(loaded, l, needed)
	return v.finish()
}

// totalBytes returns how much there is to read.
func (v *verification) totalBytes(loaded *manifest.Loaded, l *listing) int64 {
	total := v.size(v.path(manifest.FileManifest, loaded.Manifest))
	for _, num := range l.logs {
		total += v.size(v.path(manifest.FileLog, num))
	}
	return total + loaded.Version.TotalBytes()
}

// manifest verifies what was loaded.
func (v *verification) manifest(loaded *manifest.Loaded) {
	path := v.path(manifest.FileManifest, loaded.Manifest)
	v.begin("manifest", path)
	v.report.Edits = loaded.Edits
	if err := loaded.Check(); err != nil {
		v.problem(corrupt.Locate(err, path, wal.HeaderLen))
	}
	v.progress(v.size(path))
}

// log reads the log as recovery does, but keeps nothing. It returns the paths of the files that are
// needed, and why the log could not be read, which is no damage.
func (v *verification) log(loaded *manifest.Loaded, l *listing) (needed []string, err error) {
	v.begin("log", "")
	o := wal.RecoverOptions{
		FS: v.opts.FS, Store: loaded.Store, CacheID: v.cacheID, First: loaded.Log.First, FirstExists: loaded.Log.Exists,
	}
	for _, num := range l.logs {
		o.Paths = append(o.Paths, v.path(manifest.FileLog, num))
	}
	last := loaded.LastSeq
	found, err := wal.Recover(o, func(payload []byte) (uint64, error) {
		if v.ctx.Err() != nil {
			return 0, context.Cause(v.ctx)
		}
		var err error
		last, err = nextBatch(last, payload, loaded.Spaces)
		return uint64(last), err
	})
	v.report.LogSegments, v.report.LogRecords = len(found.Needed), found.Records
	if err == nil && loaded.Sealed && found.Records > 0 {
		err = corrupt.Errorf("write-ahead log", "holds %d records, although the store was closed in order", found.Records)
	}
	if err != nil && v.ctx.Err() == nil {
		if !errors.Is(err, ErrCorrupt) {
			return nil, err
		}
		v.problem(corrupt.Locate(err, v.dir, 0))
	}
	for _, path := range o.Paths {
		v.progress(v.size(path))
	}
	return found.Needed, nil
}

// nextBatch checks a batch that follows on a sequence number, and returns its own last one.
func nextBatch(last key.SeqNum, payload []byte, spaces *manifest.Spaces) (key.SeqNum, error) {
	seq, ops, err := batchrepr.Read(payload)
	if err != nil {
		return 0, err
	}
	if want := last + 1; seq != want {
		return 0, corrupt.Errorf("batch", "sequence number is %d, want %d", seq, want).At(0)
	}
	_, count := batchrepr.Header(payload)
	for {
		op, ok, err := ops.Next()
		if err != nil || !ok {
			return last + key.SeqNum(count), err
		}
		if !spaces.Given(op.Stored) {
			return 0, unknownSpace(op)
		}
	}
}

// unreferenced returns the names of files that a store does not need.
func unreferenced(loaded *manifest.Loaded, l *listing, needed []string) []string {
	names := slices.Clone(l.unknown)
	tables := map[manifest.FileNum]bool{}
	for _, level := range loaded.Version.Levels {
		for _, t := range level {
			tables[t.Num] = true
		}
	}
	add := func(kind manifest.FileKind, nums []manifest.FileNum, isNeeded func(name string, num manifest.FileNum) bool) {
		for _, num := range nums {
			if name := manifest.Name(kind, num); !isNeeded(name, num) {
				names = append(names, name)
			}
		}
	}
	add(manifest.FileTable, l.tables, func(_ string, num manifest.FileNum) bool { return tables[num] })
	add(manifest.FileManifest, l.manifests, func(_ string, num manifest.FileNum) bool { return num == loaded.Manifest })
	add(manifest.FileLog, l.logs, func(name string, _ manifest.FileNum) bool {
		return slices.ContainsFunc(needed, func(path string) bool { return filepath.Base(path) == name })
	})
	if l.hasTemp {
		names = append(names, manifest.CurrentName+".tmp")
	}
	slices.Sort(names)
	return names
}
