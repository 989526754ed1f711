package disk

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/vfs"
)

// Several writers write to a store at the same time, each to keys of its own, and their commits are numbered. What a commit does
// follows from its number; beside that it notes which commits of the others had been acknowledged when it began. So whatever a
// disk leaves of the store can be judged:
//
//   - of every writer it has the first commits up to one, and no other, and these whole;
//   - that one is none before the last that must be there;
//   - what a commit saw acknowledged is there if the commit is, as the order of commits demands.

const writers = 3

// marks are a commit of each writer.
type marks [writers]uint64

// raise makes each mark at least that of o.
func (m *marks) raise(o marks) {
	for i := range m {
		m[i] = max(m[i], o[i])
	}
}

// smallOptions make every kind of background work frequent.
func smallOptions(fsys vfs.FS, durability tinykv.Durability) *tinykv.Options {
	return &tinykv.Options{FS: fsys, MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 1 << 10, Durability: durability}
}

// lanes are what was written, and what was said of it.
type lanes struct {
	seed  uint64
	large bool // now and then a commit is larger than a memtable
	keys  int  // of each writer
	value int  // bytes, on average

	mu      sync.Mutex
	issued  marks         // guarded by mu
	acked   marks         // guarded by mu
	durable marks         // guarded by mu; what a power cut must leave
	total   int           // guarded by mu; acknowledged commits
	longest time.Duration // guarded by mu; that a write took which failed
	target  int           // guarded by mu; the total at which reached is called
	reached func()        // guarded by mu

	// What the first commits of each writer make, and how many those are.
	base   marks
	models [writers]enginetest.Model
}

func newLanes(seed uint64) *lanes { return &lanes{seed: seed, large: true, keys: 200, value: 1000} }

// commit returns commit number n of a writer, but for its note.
func (l *lanes) commit(writer int, n uint64) *tinykv.Batch {
	r := enginetest.NewRandom(l.seed ^ uint64(writer)<<56 ^ n)
	b := &tinykv.Batch{}
	ops := r.IntN(5)
	if l.large && n%60 == 59 {
		ops = 80
	}
	for range ops {
		at := r.IntN(l.keys)
		switch {
		case r.OneIn(40):
			_ = b.DeleteRange(keyOf(writer, at), keyOf(writer, at+r.IntN(60)))
		case r.OneIn(5):
			_ = b.Delete(keyOf(writer, at))
		default:
			_ = b.Put(keyOf(writer, at), fmt.Appendf(nil, "%0*d", 1+r.IntN(2*l.value), n))
		}
	}
	return b
}

func keyOf(writer, i int) []byte { return fmt.Appendf(nil, "%d/%05d", writer, i) }

func noteKey(writer int) []byte { return fmt.Appendf(nil, "%d#", writer) }

// begin numbers a commit. It returns what was acknowledged before. A commit that failed is made again: it may have taken effect or
// not, and to make it twice comes to the same.
func (l *lanes) begin(writer int) (n uint64, seen marks) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.issued[writer] = l.acked[writer] + 1
	return l.issued[writer], l.acked
}

// done notes that a commit was acknowledged.
func (l *lanes) done(writer int, n uint64, seen marks, synced bool) {
	l.mu.Lock()
	l.total++
	l.acked[writer] = n
	if synced { // and with it all that came before
		l.durable.raise(seen)
		l.durable[writer] = n
	}
	var reached func()
	if l.total == l.target {
		reached = l.reached
	}
	l.mu.Unlock()
	if reached != nil {
		reached()
	}
}

// after has fn run, on the goroutine of a writer, once so many more commits are acknowledged.
func (l *lanes) after(commits int, fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.target, l.reached = l.total+commits, fn
}

// sees returns what is acknowledged.
func (l *lanes) sees() marks {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked
}

// synced notes that what was acknowledged before is on stable storage.
func (l *lanes) synced(seen marks) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.durable.raise(seen)
}

// least returns what a power cut at this moment must leave, and what the death of the process must.
func (l *lanes) least() (durable, acked marks) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.durable, l.acked
}

// acknowledged returns how many commits were, since the beginning.
func (l *lanes) acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// write makes one commit of a writer. sync says whether to wait for stable storage.
func (l *lanes) write(db *tinykv.DB, writer int, sync bool) error {
	n, seen := l.begin(writer)
	b := l.commit(writer, n)
	note := binary.LittleEndian.AppendUint64(nil, n)
	for _, m := range seen {
		note = binary.LittleEndian.AppendUint64(note, m)
	}
	if err := b.Put(noteKey(writer), note); err != nil {
		return err
	}
	opt := tinykv.NoSync
	if sync {
		opt = tinykv.Sync
	}
	began := time.Now()
	if err := db.Apply(b, opt); err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.longest = max(l.longest, time.Since(began))
		return err
	}
	l.done(writer, n, seen, sync)
	return nil
}

// run has all writers write until stop is closed or writing fails, and returns the failures. everySync is how many commits
// share a sync: 1 for each its own.
func (l *lanes) run(db *tinykv.DB, everySync uint64, stop <-chan struct{}) error {
	var running sync.WaitGroup
	var errs [writers]error
	for w := range writers {
		running.Go(func() { errs[w] = l.runOne(db, w, everySync, stop) })
	}
	running.Wait()
	return errors.Join(errs[:]...)
}

func (l *lanes) runOne(db *tinykv.DB, w int, everySync uint64, stop <-chan struct{}) error {
	for i := uint64(1); ; i++ {
		select {
		case <-stop:
			return nil
		default:
		}
		if err := l.write(db, w, i%everySync == 0); err != nil {
			return err
		}
		if w > 0 || i%50 != 0 {
			continue
		}
		seen := l.sees()
		if err := db.Flush(context.Background()); err != nil {
			return err
		}
		l.synced(seen)
	}
}

// readNote returns a writer's last commit that is in the store, and what that one saw.
func readNote(db *tinykv.DB, writer int) (n uint64, seen marks, err error) {
	note, err := db.Get(noteKey(writer))
	if errors.Is(err, tinykv.ErrNotFound) {
		return 0, seen, nil
	}
	if err == nil && len(note) != 8*(1+writers) {
		err = fmt.Errorf("a note of %d bytes", len(note))
	}
	if err != nil {
		return 0, seen, err
	}
	for i := range seen {
		seen[i] = binary.LittleEndian.Uint64(note[8*(1+i):])
	}
	return binary.LittleEndian.Uint64(note), seen, nil
}

// check compares a store that nobody writes to with what must be in it, and returns which commits are.
func (l *lanes) check(t testing.TB, db *tinykv.DB, least marks) (found marks) {
	t.Helper()
	var seen [writers]marks
	for w := range writers {
		n, saw, err := readNote(db, w)
		if err != nil {
			t.Fatalf("writer %d: %v", w, err)
		}
		if issued := l.issued[w]; n < least[w] || n > issued {
			t.Fatalf("seed %d, writer %d: %d commits are there, want %d to %d", l.seed, w, n, least[w], issued)
		}
		found[w], seen[w] = n, saw
	}
	for w, saw := range seen {
		for o := range saw {
			if saw[o] > found[o] {
				t.Fatalf("seed %d: commit %d of writer %d is there, but not commit %d of writer %d, which was acknowledged before that began",
					l.seed, found[w], w, saw[o], o)
			}
		}
	}
	for w := range writers {
		l.compare(t, db, w, found[w])
	}
	return found
}

// compare compares all keys of a writer with what its first n commits make of them.
func (l *lanes) compare(t testing.TB, db *tinykv.DB, w int, n uint64) {
	t.Helper()
	if n < l.base[w] { // a disk took what the store had not synced
		l.base[w], l.models[w] = 0, enginetest.Model{}
	}
	for ; l.base[w] < n; l.base[w]++ {
		l.models[w].Apply(l.commit(w, l.base[w]+1))
	}
	r := tinykv.Prefix(fmt.Appendf(nil, "%d/", w))
	want := l.models[w].Entries(tinykv.All())
	got, err := enginetest.Collect(db.Scan(r))
	if err != nil {
		t.Fatal(err)
	}
	back, err := enginetest.Collect(db.Scan(r, tinykv.Reverse))
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(back)
	if !slices.Equal(got, want) || !slices.Equal(back, want) {
		t.Fatalf("seed %d, writer %d: after %d commits there are %d entries forward and %d backward, want %d", l.seed, w, n, len(got), len(back), len(want))
	}
	for i := range l.keys {
		k := string(keyOf(w, i))
		wantValue, there := l.models[w].Get(k)
		v, err := db.Get([]byte(k))
		if there && (err != nil || string(v) != wantValue) || !there && !errors.Is(err, tinykv.ErrNotFound) {
			t.Fatalf("seed %d, writer %d: after %d commits %s is %.20q, %v", l.seed, w, n, k, v, err)
		}
	}
}

// goesOn has the writers continue behind what a store was found to hold.
func (l *lanes) goesOn(found marks) { l.issued, l.acked = found, found }

// settled notes that what was found is on stable storage, as recovery makes it so before it serves.
func (l *lanes) settled(found marks) { l.durable = found }

// checkFiles has Verify look at a store that is not open.
func checkFiles(t testing.TB, dir string) {
	t.Helper()
	report, err := tinykv.Verify(context.Background(), dir, nil)
	if errors.Is(err, tinykv.ErrMissing) {
		return
	}
	if err != nil || report.Err() != nil {
		t.Fatalf("verify: %v\n%v", err, report)
	}
}
