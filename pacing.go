package tinykv

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/tinykv/tinykv/vfs"
)

// bucket lets background work use so many bytes per second. What was not used is kept for a tenth of
// a second. Any goroutine may use it.
type bucket struct {
	rate int64 // bytes per second; 0 is unlimited

	mu    sync.Mutex
	level float64 // bytes that may be used now; negative when more was taken
	last  time.Time
}

const bucketSpan = 100 * time.Millisecond // how long a bucket fills

// take uses n bytes at once and returns how long a user with patience waits after that.
func (b *bucket) take(n int64, now time.Time) time.Duration {
	if b.rate == 0 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	rate := float64(b.rate)
	b.level = min(b.level+rate*now.Sub(b.last).Seconds(), rate*bucketSpan.Seconds())
	b.last = now
	b.level -= float64(n)
	return time.Duration(max(-b.level/rate, 0) * float64(time.Second))
}

// rest waits for some time, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// pacedFile is a table that is written at the rate of a bucket.
type pacedFile struct {
	vfs.File
	ctx    context.Context
	bucket *bucket
	waits  bool // a flush takes what it needs and waits for nobody: compactions then wait longer
}

// Write implements vfs.File.
func (f *pacedFile) Write(p []byte) (int, error) {
	if d := f.bucket.take(int64(len(p)), time.Now()); f.waits {
		rest(f.ctx, d)
	}
	return f.File.Write(p)
}

// Files that nobody needs are removed in the background and one by one, so that the file system's own
// work for that, and a disk that erases, do not get in the way of anybody: at removalRate, faster the
// more there is to remove, and without rest when the disk is nearly full.
const (
	removalRate    = 256 << 20 // bytes per second
	removalBacklog = 128 << 20 // at twice as much the rate doubles, and so on
	nearlyFullPart = 10        // less than one in so many bytes of the file system is free
)

// garbage is a file that nobody needs.
type garbage struct {
	path      string
	sizeBytes int64 // about
}

// scheduleRemoval has a file removed that nobody needs any more.
func (db *DB) scheduleRemoval(path string, sizeBytes int64) {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		db.removeFile(garbage{path, sizeBytes}) // an iterator outlived the store
		return
	}
	defer db.mu.Unlock()
	db.garbage = append(db.garbage, garbage{path, sizeBytes})
	db.garbageBytes += sizeBytes
	db.startLocked(&db.removals, db.removeNext, func() bool { return len(db.garbage) > 0 })
}

// removeNext removes one file and rests.
func (db *DB) removeNext() (more bool, err error) {
	db.mu.Lock()
	if len(db.garbage) == 0 {
		db.mu.Unlock()
		return false, nil
	}
	next, backlog := db.garbage[0], db.garbageBytes
	db.garbage = db.garbage[1:]
	db.garbageBytes -= next.sizeBytes
	db.mu.Unlock()
	start := time.Now()
	db.removeFile(next)
	if db.opts.internal.inline == nil {
		rest(db.background, db.removalPause(next.sizeBytes, backlog)-time.Since(start))
	}
	return true, nil
}

// removalPause returns how long the removal, with a rest after it, should take of so many bytes out of a backlog.
func (db *DB) removalPause(n, backlog int64) time.Duration {
	if space, err := db.fs.Space(db.dir); err == nil && space.FreeBytes < space.TotalBytes/nearlyFullPart {
		return 0
	}
	rate := float64(removalRate) * max(float64(backlog)/removalBacklog, 1)
	return time.Duration(float64(n) / rate * float64(time.Second))
}

// removeFile removes a file of no importance: what stays is removed at the next opening.
func (db *DB) removeFile(g garbage) {
	switch err := db.fs.Remove(g.path); {
	case err == nil:
		db.tellRemoved(g)
	case !errors.Is(err, fs.ErrNotExist):
		db.opts.Logger.Warn("tinykv: file is left over", "file", g.path, "error", err)
	}
}
