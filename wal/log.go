package wal

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tinykv/tinykv/vfs"
)

// Options describe a log to be created. All fields but MakeFile and Synced must be set.
type Options struct {
	FS  vfs.FS
	Dir string

	Store   uint64     // id of the store
	CacheID string     // vfs.FS.CacheID of Dir
	First   SegmentNum // number of the first segment
	Mark    uint64     // mark of everything before it

	NewName  func() string // base name for a new file, never returned before
	NewEpoch func() uint64 // random number

	// MakeFile is given a function that makes a file, in which a full disk shows. It runs that, or
	// returns the error of a former call if that was a moment ago: so a full disk is not filled and
	// emptied all the time. It may be called concurrently. Nil runs the function.
	MakeFile func(make func() error) error

	// Synced is told of every sync of the log once it is over, by the goroutine that made it and with no
	// lock of the log held: how many bytes it covered, and how long it took by Now. Nil: nobody.
	Synced func(bytes int64, took time.Duration, err error)
	Now    func() time.Duration

	FirstSegmentBytes int64 // size of the first segment; each new one is twice as large ...
	MaxSegmentBytes   int64 // ... up to this, unless a record needs more
	Spares            int   // how many retired segments are kept for new use
}

// Log appends records to a chain of segments.
//
// Reserve, Append, Flush and Rotate are for one goroutine at a time, the committer. Sync, Prepare,
// Retire and the methods that only tell something may be called by others meanwhile.
//
// The first failed write or sync sticks: nothing is known of the log's end any more, whatever a
// retry would return, so every later call returns that failure.
type Log struct {
	opts Options

	current *segment // for the committer alone

	mu        sync.Mutex
	live      []*segment // guarded by mu; oldest first, the last is current
	spares    []spare    // guarded by mu; ready to become segments
	nextBytes int64      // guarded by mu; size of the next new file
	past      int64      // guarded by mu; bytes in the segments before current

	// syncMu is held during a sync and while segments are retired; taken before reading and mu.
	syncMu sync.Mutex

	// reading is held by a Follower while it reads from a live segment, for writing while segments are given up; taken
	// before mu.
	reading sync.RWMutex

	vouched    atomic.Uint64 // segment << 32 | offset up to which the log is synced
	syncedMark atomic.Uint64
	failure    atomic.Pointer[error]
	ready      atomic.Bool // there are spares
	zeroed     atomic.Int64
}

// spare is a file with room and, if it was used before, dead records in it.
type spare struct {
	name string
	log  vfs.Log
}

// Create starts a log. When it returns, the first segment exists durably.
func Create(opts Options) (*Log, error) {
	l := &Log{opts: opts, nextBytes: opts.FirstSegmentBytes}
	if err := l.begin(opts.First, 0, opts.Mark, 0); err != nil {
		return nil, err
	}
	if err := l.Sync(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Reserve makes sure that records with payloadBytes together have room in the current segment,
// beginning a new one if they do not, as Rotate does. When it fails nothing of them was written.
func (l *Log) Reserve(records int, payloadBytes int64) error {
	if err := l.Err(); err != nil {
		return err
	}
	need := framedLen(records, payloadBytes)
	if l.current.fits(need) {
		return nil
	}
	return l.rotate(need)
}

// Append frames a record that was reserved for. Its mark must not be below that of the one before;
// it is what SyncedMark returns once the record is durable. The payload is copied.
func (l *Log) Append(payload []byte, mark uint64) {
	l.current.append(payload, mark, l.Vouched())
}

// Flush hands everything appended to the operating system, where it survives the process. With
// sync, it returns once everything is on stable storage.
func (l *Log) Flush(sync bool) error {
	if err := l.Err(); err != nil {
		return err
	}
	if err := l.current.flush(sync); err != nil {
		return l.fail(fmt.Errorf("write-ahead log: %w", err))
	}
	if sync {
		return l.Sync()
	}
	return nil
}

// Rotate begins a new segment and returns its number. What was appended is flushed first.
func (l *Log) Rotate() (SegmentNum, error) {
	if err := l.Err(); err != nil {
		return 0, err
	}
	if err := l.rotate(0); err != nil {
		return 0, err
	}
	return l.current.header.number, nil
}

// rotate begins a new segment, whose header states where the old one ends. So that must be flushed.
func (l *Log) rotate(need int64) error {
	if err := l.Flush(false); err != nil {
		return err
	}
	old := l.current
	return l.begin(old.header.number+1, old.end, old.mark.Load(), need)
}

// begin makes a new segment with room for need bytes the current one.
func (l *Log) begin(number SegmentNum, prevLen int64, prevMark uint64, need int64) error {
	file, err := l.takeSpare(headerLen + need)
	if err != nil {
		return err
	}
	s, err := startSegment(file.name, file.log, header{
		purpose:  PurposeLog,
		store:    l.opts.Store,
		number:   number,
		epoch:    l.opts.NewEpoch(),
		cache:    cacheHash(l.opts.CacheID),
		prevLen:  prevLen,
		prevMark: prevMark,
	})
	if err != nil { // a header that was written in part would be taken for damage
		return l.fail(errors.Join(err, file.log.Close(), l.opts.FS.Remove(file.name), l.opts.FS.SyncDir(l.opts.Dir)))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != nil {
		l.past += l.current.end
	}
	l.current = s
	l.live = append(l.live, s)
	return nil
}

// takeSpare returns a file of at least need bytes, a prepared one if there is any.
func (l *Log) takeSpare(need int64) (spare, error) {
	l.mu.Lock()
	for i, s := range l.spares {
		if s.log.Size() >= need {
			l.spares = append(l.spares[:i], l.spares[i+1:]...)
			l.ready.Store(len(l.spares) > 0)
			l.mu.Unlock()
			return s, nil
		}
	}
	l.mu.Unlock()
	return l.makeSpare(need)
}

// makeSpare is newSpare as often as Options.MakeFile lets it.
func (l *Log) makeSpare(need int64) (s spare, err error) {
	if l.opts.MakeFile == nil {
		return l.newSpare(need)
	}
	err = l.opts.MakeFile(func() (err error) {
		s, err = l.newSpare(need)
		return err
	})
	return s, err
}

// newSpare makes a durable file full of zeros, of at least need bytes. The one after it will have
// twice its size.
func (l *Log) newSpare(need int64) (spare, error) {
	if need > maxLogSegmentLen {
		return spare{}, fmt.Errorf("new log segment: %d bytes, at most %d", need, int64(maxLogSegmentLen))
	}
	l.mu.Lock()
	size := max(l.nextBytes, need)
	l.mu.Unlock()
	name := filepath.Join(l.opts.Dir, l.opts.NewName())
	file, err := l.opts.FS.CreateLog(name)
	if err != nil {
		return spare{}, fmt.Errorf("new log segment: %w", err)
	}
	err = file.Extend(size)
	if err == nil {
		err = file.Datasync()
	}
	if err != nil {
		return spare{}, errors.Join(fmt.Errorf("new log segment: %w", err), file.Close(), l.opts.FS.Remove(name))
	}
	switch err := l.opts.FS.SyncDir(l.opts.Dir); {
	case errors.Is(err, vfs.ErrNotTried):
		return spare{}, errors.Join(fmt.Errorf("new log segment: sync directory: %w", err), file.Close(), l.opts.FS.Remove(name))
	case err != nil:
		return spare{}, l.fail(errors.Join(fmt.Errorf("sync directory: %w", err), file.Close()))
	}
	l.zeroed.Add(size)
	l.mu.Lock()
	l.nextBytes = min(2*l.nextBytes, l.opts.MaxSegmentBytes) // not before: a full disk must not make it grow
	l.mu.Unlock()
	return spare{name: name, log: file}, nil
}

// Ready tells whether a spare segment is waiting, so that the next rotation costs nothing.
func (l *Log) Ready() bool { return l.ready.Load() }

// HalfFull tells whether it is time for Prepare. It is for the committer.
func (l *Log) HalfFull() bool { return l.current.end > l.current.log.Size()/2 }

// Prepare makes a spare segment if there is none.
func (l *Log) Prepare() error {
	if err := l.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	if len(l.spares) > 0 {
		l.mu.Unlock()
		return nil
	}
	l.mu.Unlock()
	s, err := l.makeSpare(0)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spares = append(l.spares, s)
	l.ready.Store(true)
	return nil
}

// Sync returns once everything that was flushed before the call is on stable storage, oldest
// segment first, so that what a power cut leaves is a prefix of the log.
func (l *Log) Sync() error {
	did, err := l.sync()
	if did.count > 0 && l.opts.Synced != nil {
		l.opts.Synced(did.bytes, did.took, err)
	}
	return err
}

// syncs is what one call of Sync did.
type syncs struct {
	count int
	bytes int64
	took  time.Duration
}

func (l *Log) sync() (did syncs, err error) {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	if err := l.Err(); err != nil {
		return did, err
	}
	l.mu.Lock()
	live := l.live
	l.mu.Unlock()
	for _, s := range live {
		mark, flushed := s.mark.Load(), s.flushed.Load()
		if s.synced == flushed {
			continue
		}
		if err := l.datasync(s, flushed, &did); err != nil {
			for _, s := range live {
				s.distrust()
			}
			return did, l.fail(fmt.Errorf("sync of write-ahead log: %w", err))
		}
		s.synced = flushed
		l.vouched.Store(uint64(s.header.number)<<32 | uint64(flushed))
		l.syncedMark.Store(mark)
	}
	return did, nil
}

// datasync syncs one segment and notes it.
func (l *Log) datasync(s *segment, flushed int64, did *syncs) error {
	did.count++
	did.bytes += flushed - s.synced
	if l.opts.Synced == nil {
		return s.log.Datasync()
	}
	start := l.opts.Now()
	err := s.log.Datasync()
	did.took += l.opts.Now() - start
	return err
}

// Vouched returns the position that the last sync covered.
func (l *Log) Vouched() Position {
	v := l.vouched.Load()
	return Position{Segment: SegmentNum(v >> 32), Offset: int64(v & (1<<32 - 1))}
}

// SyncedMark returns the mark of the last record known to be on stable storage.
func (l *Log) SyncedMark() uint64 { return l.syncedMark.Load() }

// Number returns the number of the current segment. It is for the committer.
func (l *Log) Number() SegmentNum { return l.current.header.number }

// Bytes returns the size of all live segments and of the spare ones.
func (l *Log) Bytes() (live, spares int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.live {
		live += s.log.Size()
	}
	for _, s := range l.spares {
		spares += s.log.Size()
	}
	return live, spares
}

// Files returns the paths of the live segments.
func (l *Log) Files() (paths []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.live {
		paths = append(paths, s.name)
	}
	return paths
}

// Zeroed returns how many bytes of zeros were written to make new segments, since the log began.
func (l *Log) Zeroed() int64 { return l.zeroed.Load() }

// Written returns how many bytes were written to the log since it began.
func (l *Log) Written() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.live) == 0 {
		return l.past
	}
	return l.past + l.live[len(l.live)-1].flushed.Load()
}

// Retire gives up the segments before the given one, which must be live. Whatever makes them
// unnecessary must be on stable storage: they are overwritten or removed.
func (l *Log) Retire(before SegmentNum) error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.reading.Lock()
	defer l.reading.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	for len(l.live) > 1 && l.live[0].header.number < before {
		s := l.live[0]
		l.live = l.live[1:]
		if len(l.spares) < l.opts.Spares && s.log.Size() >= l.nextBytes {
			l.spares = append(l.spares, spare{name: s.name, log: s.log})
			l.ready.Store(true)
			continue
		}
		err = errors.Join(err, s.log.Close(), l.opts.FS.Remove(s.name))
	}
	return err
}

// Trim removes the spare segments.
func (l *Log) Trim() error {
	l.mu.Lock()
	spares := l.spares
	l.spares = nil
	l.ready.Store(false)
	l.mu.Unlock()
	var err error
	for _, s := range spares {
		err = errors.Join(err, s.log.Close(), l.opts.FS.Remove(s.name))
	}
	return err
}

// Err returns the failure that ended the log, or nil.
func (l *Log) Err() error {
	if err := l.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// fail makes err stick, unless another was first, and returns the one that stuck.
func (l *Log) fail(err error) error {
	l.failure.CompareAndSwap(nil, &err)
	return l.Err()
}

// Close gives up the log without a sync. Spares are removed; live segments are left for recovery.
func (l *Log) Close() error { return l.close(false) }

// Remove gives up the log and removes all its files. Whatever makes them unnecessary must be on
// stable storage.
func (l *Log) Remove() error { return l.close(true) }

func (l *Log) close(remove bool) error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.reading.Lock()
	defer l.reading.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	for _, s := range l.spares {
		err = errors.Join(err, s.log.Close(), l.opts.FS.Remove(s.name))
	}
	for _, s := range l.live {
		err = errors.Join(err, s.log.Close())
		if remove {
			err = errors.Join(err, l.opts.FS.Remove(s.name))
		}
	}
	if l.current != nil {
		l.past += l.current.end
	}
	l.spares, l.live = nil, nil
	l.fail(errClosed)
	return err
}

var errClosed = errors.New("write-ahead log is closed")
