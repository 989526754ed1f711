package tinykv_test

import (
	"fmt"
	"iter"
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
