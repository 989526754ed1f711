package tinykv_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
)

// watchClock is a clock that stands still until it is set.
type watchClock struct{ seconds atomic.Int64 }

func (c *watchClock) now() time.Time { return time.Unix(1_000_000+c.seconds.Load(), 0) }

func (c *watchClock) set(db *tinykv.DB, seconds int64) {
	c.seconds.Store(seconds)
	db.ClockChanged()
}

// withWatchClock returns a store of tiny sizes that goes by such a clock.
func withWatchClock(t *testing.T) (*tinykv.DB, *watchClock) {
	t.Helper()
	clock, o := &watchClock{}, tiny
	o.Clock = clock.now
	db := mustOpen(t, t.TempDir(), &o)
	t.Cleanup(func() { _ = db.Close() })
	return db, clock
}

// pull reads a watch event by event, in letters.
func pull(t *testing.T, watch iter.Seq2[tinykv.Event, error]) func() string {
	next, stop := iter.Pull2(watch)
	t.Cleanup(stop)
	return func() string {
		e, err, ok := next()
		if err != nil || !ok {
			return fmt.Sprint(err)
		}
		e.ExpiresAt = time.Time{}
		return inLetters(e)
	}
}

func TestWatch_TellsWhatHasExpiredAndIsStillTheValueOfItsKey(t *testing.T) {
	clock := &watchClock{}
	db := mustOpen(t, t.TempDir(), &tinykv.Options{Clock: clock.now})
	defer db.Close()
	must(t, db.Put([]byte("before"), nil, tinykv.TTL(10*time.Second)))
	must(t, db.Put([]byte("gone before"), nil, tinykv.TTL(time.Second)))
	clock.set(db, 2)
	next := pull(t, db.Watch(t.Context(), tinykv.All(), 0))
	must(t, db.Put([]byte("stays"), nil))
	same := func(want string) {
		t.Helper()
		if got := next(); got != want {
			t.Errorf("told %s, want %s", got, want)
		}
	}
	same("+stays=.")
	for _, k := range []string{"deleted", "kept", "put", "put again", "under a range"} {
		must(t, db.Put([]byte(k), []byte("1"), tinykv.TTL(5*time.Second)))
		same("+" + k + "=1.")
	}
	must(t, db.Delete([]byte("deleted")))
	must(t, db.Put([]byte("put"), nil))
	must(t, db.Put([]byte("put again"), nil, tinykv.TTL(20*time.Second)))
	must(t, db.DeleteRange([]byte("u"), []byte("v")))
	same("-deleted.")
	same("+put=.")
	same("+put again=.")
	same("[u,v).")
	clock.set(db, 9)
	same("expire.")
	clock.set(db, 11)
	same("expire.")
	clock.set(db, 60)
	same("expire.")
	must(t, db.Put([]byte("end"), nil))
	same("+end=.")
}

// An expiry says which value of which key it was, and stands in the order of commits.
func TestWatch_ExpiriesNameKeyAndTime(t *testing.T) {
	clock := &watchClock{}
	db := mustOpen(t, t.TempDir(), &tinykv.Options{Clock: clock.now})
	defer db.Close()
	seen, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for e, err := range db.Watch(t.Context(), tinykv.Prefix([]byte("a")), 0) {
			must(t, err)
			if e.Kind == tinykv.EventPut {
				close(seen)
				continue
			}
			want := clock.now().Add(-time.Hour + time.Minute)
			if e.Kind != tinykv.EventExpire || string(e.Key) != "apple" || !e.ExpiresAt.Equal(want) || !e.Last || e.Value != nil || e.Seq != 3 {
				t.Errorf("told %+v", e)
			}
			return
		}
	}()
	watching(t, db, 1)
	must(t, db.Put([]byte("apple"), []byte("1"), tinykv.TTL(time.Minute)))
	must(t, db.Put([]byte("bread"), []byte("1"), tinykv.TTL(time.Minute)))
	must(t, db.Put([]byte("cream"), nil))
	<-seen
	clock.set(db, 3600)
	<-done
}

// More values expire than are kept in mind, many of them at the same time: each is told of once.
func TestWatch_TellsOfManyExpiriesInBoundedMemory(t *testing.T) {
	clock := &watchClock{}
	o := tiny
	o.Clock, o.MemoryBudget, o.CacheSize = clock.now, 8<<20, -1 // for 1,300 in mind, and the records of all
	db := mustOpen(t, t.TempDir(), &o)
	defer db.Close()
	const n = 3000
	for i := range n {
		must(t, db.Put(fmt.Appendf(nil, "k%04d", i), nil, tinykv.TTL(time.Duration(1+i%3)*time.Second)))
	}
	told := map[string]int{}
	clock.set(db, 0)
	watch := db.Watch(t.Context(), tinykv.All(), 0)
	must(t, db.Put([]byte("go"), nil))
	for e, err := range watch {
		if err != nil {
			t.Fatal(err, len(told))
		}
		if e.Kind == tinykv.EventPut && string(e.Key) == "go" {
			clock.set(db, 10)
			continue
		}
		if told[string(e.Key)]++; len(told) == n {
			break
		}
	}
	for k, times := range told {
		if times != 1 || !strings.HasPrefix(k, "k") {
			t.Errorf("%s was told of %d times", k, times)
		}
	}
}

// expiries reads a watch until it tells of the expiry of a key, and returns the keys of which it told that.
func expiries(t *testing.T, next func() (tinykv.Event, error, bool), until string) (keys []string) {
	t.Helper()
	for {
		e, err, _ := next()
		if err != nil {
			t.Fatalf("told of %q, and then: %v", keys, err)
		}
		if e.Kind == tinykv.EventExpire {
			if keys = append(keys, string(e.Key)); string(e.Key) == until {
				return keys
			}
		}
	}
}

// watchAt begins to watch and waits until it is told of a probe that expires two seconds after the time of the clock; so what was there
// has been looked through.
func watchAt(t *testing.T, db *tinykv.DB, clock *watchClock, r tinykv.Range, probe string) func() (tinykv.Event, error, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // an expiry that never comes ends the test
	t.Cleanup(cancel)
	next, stop := iter.Pull2(db.Watch(ctx, r, lastSeq(db)))
	t.Cleanup(stop)
	must(t, db.Put([]byte(probe), nil, tinykv.TTL(2*time.Second)))
	if e, err, _ := next(); err != nil || string(e.Key) != probe {
		t.Fatalf("told %s, %v", inLetters(e), err)
	}
	clock.set(db, clock.seconds.Load()+2)
	expiries(t, next, probe)
	return next
}

func TestWatch_TellsWhatExpiresOfLargeBatchesAndTransactions(t *testing.T) {
	for _, c := range writesOf {
		db, clock := withWatchClock(t)
		next := watchAt(t, db, clock, tinykv.All(), "probe")
		must(t, db.Update(func(tx *tinykv.Tx) error {
			for i := range 20 {
				must(t, tx.Put(fmt.Appendf(nil, "k%02d", i), make([]byte, c.length), tinykv.TTL(time.Duration(1+i)*time.Second)))
			}
			return nil
		}))
		must(t, db.Delete([]byte("k05")))
		must(t, db.Put([]byte("z"), nil, tinykv.TTL(time.Minute)))
		clock.set(db, 3600)
		if got := expiries(t, next, "z"); len(got) != 20 {
			t.Errorf("%s: told of %d expiries, want 20: %q", c.name, len(got), got)
		}
	}
}

func TestWatch_TellsNoExpiryOfWhatALargeBatchDeleted(t *testing.T) {
	db, clock := withWatchClock(t)
	must(t, db.Put([]byte("a"), nil, tinykv.TTL(time.Hour)))
	must(t, db.Put([]byte("z"), nil, tinykv.TTL(time.Hour+time.Second)))
	next := watchAt(t, db, clock, tinykv.All(), "probe")
	b := db.NewBatch()
	must(t, b.Delete([]byte("a")))
	must(t, b.Put([]byte("fill"), make([]byte, 100<<10)))
	must(t, db.Apply(b))
	must(t, db.Compact(t.Context(), tinykv.All())) // no tombstone is left
	clock.set(db, 5000)
	if got := expiries(t, next, "z"); len(got) != 1 {
		t.Errorf("told that %q expired, want z alone", got)
	}
}

// An earlier expiry than one that was told of comes of a clock that went back: another watcher, for whom all is looked through again,
// keeps it from nobody.
func TestWatch_TellsExpiriesAfterTheClockWentBackAndAnotherBegan(t *testing.T) {
	db, clock := withWatchClock(t)
	must(t, db.Put([]byte("a"), nil, tinykv.TTL(time.Hour)))
	first := watchAt(t, db, clock, tinykv.Between(nil, []byte("m")), "c")
	clock.set(db, 3700)
	expiries(t, first, "a")
	clock.set(db, 10)
	must(t, db.Put([]byte("b"), nil, tinykv.TTL(time.Minute)))
	second := watchAt(t, db, clock, tinykv.Between([]byte("b"), nil), "z")
	clock.set(db, 100)
	for i, next := range []func() (tinykv.Event, error, bool){first, second} {
		if got := expiries(t, next, "b"); len(got) != 1 {
			t.Errorf("watcher %d was told of %q", i, got)
		}
	}
}

// Who still reads the log when a value expires is told of it behind the changes that are there, as all others are.
func TestWatch_TellsWhatExpiredWhileTheLogWasRead(t *testing.T) {
	db, clock := withWatchClock(t)
	must(t, db.Put([]byte("first"), nil))
	must(t, db.Put([]byte("a"), nil, tinykv.TTL(time.Second)))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // an expiry that never comes ends the test
	defer cancel()
	behind, stop := iter.Pull2(db.Watch(ctx, tinykv.All(), 1))
	defer stop()
	if e, err, _ := behind(); err != nil || string(e.Key) != "a" { // from the log, as nobody watched before
		t.Fatal(inLetters(e), err)
	}
	done := make(chan error, 1)
	go func() {
		for _, err := range db.Watch(ctx, tinykv.All(), 0) {
			done <- err
			return
		}
	}()
	for db.Metrics().Watch.Watchers < 2 {
		runtime.Gosched()
	}
	clock.set(db, 1)
	must(t, <-done)
	if e, err, _ := behind(); err != nil || e.Kind != tinykv.EventExpire || string(e.Key) != "a" {
		t.Errorf("told %s, %v; want that a has expired", inLetters(e), err)
	}
}

// What expired before the clock went back is hidden for ever; so it has expired, though its time is yet to come again.
func TestWatch_TellsAtOnceWhatAReaderSawExpiredBeforeTheClockWentBack(t *testing.T) {
	db, clock := withWatchClock(t)
	must(t, db.Put([]byte("a"), nil, tinykv.TTL(time.Hour)))
	next := watchAt(t, db, clock, tinykv.All(), "probe")
	clock.seconds.Store(3700)
	if _, err := db.Get([]byte("a")); !errors.Is(err, tinykv.ErrNotFound) {
		t.Fatal(err)
	}
	clock.set(db, 10)
	if got := expiries(t, next, "a"); len(got) != 1 {
		t.Errorf("told of %q", got)
	}
}
