package tinykv_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// fakeClock is a clock that a test sets.
type fakeClock struct{ nanos atomic.Int64 }

// noon is where the clocks of tests begin.
var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func newClock() *fakeClock {
	c := &fakeClock{}
	c.nanos.Store(noon.UnixNano())
	return c
}

func (c *fakeClock) now() time.Time       { return time.Unix(0, c.nanos.Load()) }
func (c *fakeClock) step(d time.Duration) { c.nanos.Add(int64(d)) }

const year = 365 * 24 * time.Hour

func withClock(t testing.TB) (*tinykv.DB, *fakeClock) {
	t.Helper()
	c := newClock()
	return mustOpen(t, "/store", &tinykv.Options{FS: vfs.NewMem(), Clock: c.now}), c
}

// wantKeys compares the keys of a store, by every way of reading one.
func wantKeys(t *testing.T, db *tinykv.DB, all string, want string) {
	t.Helper()
	got := ""
	for item, err := range db.Scan(tinykv.All()) {
		must(t, err)
		got += string(item.Key)
	}
	if got != want {
		t.Errorf("scan: %q, want %q", got, want)
	}
	backward := ""
	for item, err := range db.Scan(tinykv.All(), tinykv.Reverse) {
		must(t, err)
		backward = string(item.Key) + backward
	}
	if backward != want {
		t.Errorf("scan in reverse: %q, want %q", backward, want)
	}
	n, err := db.Count(context.Background(), tinykv.All())
	must(t, err)
	if n != uint64(len(want)) {
		t.Errorf("count: %d, want %d", n, len(want))
	}
	var keys [][]byte
	for i := range all {
		keys = append(keys, []byte(all[i:i+1]))
	}
	values, err := db.GetMulti(keys...)
	must(t, err)
	byGet, byMulti, byHas, byPeek, byItem, byExplain := "", "", "", "", "", ""
	for i, k := range keys {
		if _, err := db.Get(k); err == nil {
			byGet += string(k)
		} else if !errors.Is(err, tinykv.ErrNotFound) {
			t.Fatal(err)
		}
		if values[i] != nil {
			byMulti += string(k)
		}
		has, err := db.Has(k)
		must(t, err)
		if has {
			byHas += string(k)
		}
		if err := db.Peek(k, func([]byte) error { return nil }); err == nil {
			byPeek += string(k)
		}
		if err := db.PeekItem(k, func(tinykv.Item) error { return nil }); err == nil {
			byItem += string(k)
		}
		e, err := db.Explain(k)
		must(t, err)
		if e.Found {
			byExplain += string(k)
		}
	}
	for how, got := range map[string]string{"get": byGet, "multi": byMulti, "has": byHas, "peek": byPeek, "item": byItem, "explain": byExplain} {
		if got != want {
			t.Errorf("%s: %q, want %q", how, got, want)
		}
	}
}

func TestTTL_ValueIsThereUntilItExpiresAndThenAbsent(t *testing.T) {
	db, clock := withClock(t)
	must(t, db.Put([]byte("a"), []byte("1"), tinykv.TTL(time.Minute)))
	must(t, db.Put([]byte("b"), []byte("2"), tinykv.ExpireAt(noon.Add(2*time.Minute))))
	must(t, db.Put([]byte("c"), []byte("3")))
	b := db.NewBatch()
	must(t, b.Put([]byte("d"), []byte("4"), tinykv.TTL(3*time.Minute)))
	must(t, b.Put([]byte("e"), []byte("5")))
	must(t, db.Apply(b))
	look := func() {
		t.Helper()
		clock.nanos.Store(noon.UnixNano())
		for _, s := range []struct {
			after time.Duration
			want  string
		}{{0, "abcde"}, {time.Minute - 1, "abcde"}, {time.Minute, "bcde"}, {2*time.Minute - 1, "bcde"}, {2 * time.Minute, "cde"}, {3 * time.Minute, "ce"}, {200 * year, "ce"}} {
			clock.nanos.Store(noon.Add(s.after).UnixNano())
			wantKeys(t, db, "abcde", s.want)
		}
	}
	for item, err := range db.Scan(tinykv.All()) {
		must(t, err)
		want := map[string]time.Time{"a": noon.Add(time.Minute), "b": noon.Add(2 * time.Minute), "d": noon.Add(3 * time.Minute)}[string(item.Key)]
		if !item.ExpiresAt.Equal(want) {
			t.Errorf("%s expires at %v, want %v", item.Key, item.ExpiresAt, want)
		}
	}
	look()
}

func TestTTL_EveryReadPathAgreesInTablesToo(t *testing.T) {
	for _, flush := range []string{"memtable", "level 0", "compacted"} {
		db, clock := withClock(t)
		must(t, db.Put([]byte("a"), []byte("old")))
		must(t, db.Put([]byte("c"), []byte("stays")))
		must(t, db.Put([]byte("d"), []byte("later"), tinykv.TTL(time.Hour)))
		if flush != "memtable" {
			must(t, db.Flush(context.Background()))
		}
		must(t, db.Put([]byte("a"), []byte("new"), tinykv.TTL(time.Minute)))
		must(t, db.Put([]byte("b"), []byte("only"), tinykv.TTL(time.Minute)))
		switch flush {
		case "level 0":
			must(t, db.Flush(context.Background()))
		case "compacted":
			must(t, db.Compact(context.Background(), tinykv.All()))
		}
		wantKeys(t, db, "abcd", "abcd")
		clock.step(time.Minute)
		wantKeys(t, db, "abcd", "cd")
		must(t, db.Compact(context.Background(), tinykv.All()))
		wantKeys(t, db, "abcd", "cd")
		clock.step(time.Hour)
		wantKeys(t, db, "abcd", "c")
	}
}

func TestTTL_OptionsThatAreWrongOrDoNotApplyChangeNothing(t *testing.T) {
	db, _ := withClock(t)
	k, v, ctx := []byte("k"), []byte("v"), context.Background()
	_ = ctx
	ttl := tinykv.TTL(time.Minute)
	b := db.NewBatch()
	for what, err := range map[string]error{
		"TTL 0":                   db.Put(k, v, tinykv.TTL(0)),
		"TTL below 0":             db.Put(k, v, tinykv.TTL(-time.Second)),
		"no time":                 db.Put(k, v, tinykv.ExpireAt(time.Time{})),
		"Delete":                  db.Delete(k, ttl),
		"DeleteRange":             db.DeleteRange(k, nil, ttl),
		"Apply":                   db.Apply(b, ttl),
		"Batch.Put, TTL 0":        b.Put(k, v, tinykv.TTL(0)),
		"Batch.Put, Sync":         b.Put(k, v, tinykv.Sync),
		"Batch.Delete":            b.Delete(k, ttl),
		"Batch.DeleteRange":       b.DeleteRange(k, nil, ttl),
		"Batch.Merge":             b.Merge(k, v, ttl),
		"an option of no meaning": db.Put(k, v, tinykv.WriteOption(7)),
	} {
		if !errors.Is(err, tinykv.ErrInvalidOption) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if b.Len() != 0 {
		t.Errorf("batch of %d", b.Len())
	}
	wantKeys(t, db, "k", "")
}

func TestTTL_LongestLifetimeIsForEverAndPastTimeIsNow(t *testing.T) {
	db, clock := withClock(t)
	must(t, db.Put([]byte("a"), nil, tinykv.TTL(1<<63-1)))
	must(t, db.Put([]byte("b"), nil, tinykv.ExpireAt(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))))
	must(t, db.Put([]byte("c"), nil, tinykv.ExpireAt(time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC))))
	must(t, db.Put([]byte("d"), nil, tinykv.ExpireAt(noon)))
	clock.step(200 * year)
	wantKeys(t, db, "abcd", "ab")
}

func TestTTL_ConditionsTakeWhatHasExpiredForAbsent(t *testing.T) {
	db, clock := withClock(t)
	k := []byte("k")
	done := func(want bool) func(bool, error) {
		return func(got bool, err error) {
			t.Helper()
			must(t, err)
			if got != want {
				t.Errorf("%v, want %v", got, want)
			}
		}
	}
	must(t, db.Put(k, []byte("1"), tinykv.TTL(time.Minute)))
	done(false)(db.PutIfAbsent(k, []byte("2")))
	done(true)(db.CompareAndSwap(k, []byte("1"), []byte("2"), tinykv.TTL(2*time.Minute)))
	clock.step(time.Minute)
	wantKeys(t, db, "k", "k")
	clock.step(time.Minute)
	done(false)(db.CompareAndSwap(k, []byte("2"), []byte("3")))
	done(false)(db.CompareAndDelete(k, []byte("2")))
	done(true)(db.PutIfAbsent(k, []byte("4"), tinykv.TTL(time.Minute)))
	done(true)(db.CompareAndSwap(k, []byte("4"), []byte("5")))
	clock.step(year)
	wantKeys(t, db, "k", "k") // swapped without a lifetime
	must(t, db.Put(k, []byte("6"), tinykv.TTL(time.Minute)))
	must(t, db.Put(k, []byte("7")))
	clock.step(year)
	wantKeys(t, db, "k", "k") // a later write without one makes it stay
}

func TestTTL_LargeWritesExpireToo(t *testing.T) {
	clock := newClock()
	db := mustOpen(t, "/store", &tinykv.Options{FS: vfs.NewMem(), Clock: clock.now, MemTableSize: 64 << 10})
	large := make([]byte, 100<<10)
	must(t, db.Put([]byte("a"), large, tinykv.TTL(time.Minute)))
	_, err := db.PutIfAbsent([]byte("b"), large, tinykv.TTL(time.Minute))
	must(t, err)
	must(t, db.Put([]byte("c"), large))
	wantKeys(t, db, "abc", "abc")
	clock.step(time.Minute)
	wantKeys(t, db, "abc", "c")
}

func TestTTL_SnapshotsAndIteratorsSeeOneInstant(t *testing.T) {
	db, clock := withClock(t)
	for i := range 10 {
		must(t, db.Put(fmt.Appendf(nil, "%d", i), []byte("v"), tinykv.TTL(time.Minute)))
	}
	s, err := db.NewSnapshot()
	must(t, err)
	defer s.Close()
	it, err := db.NewIter(tinykv.All())
	must(t, err)
	defer it.Close()
	clock.step(time.Hour)
	must(t, db.Compact(context.Background(), tinykv.All()))
	wantKeys(t, db, "0123456789", "")
	n := 0
	for it.Next() {
		n++
	}
	for item, err := range s.Scan(tinykv.All()) {
		must(t, err)
		n++
		_, err := s.Get(item.Key)
		must(t, err)
	}
	if n != 20 {
		t.Errorf("%d, want 10 each", n)
	}
	clock.step(-50 * time.Minute) // a mark hides all from others
	wantKeys(t, db, "0123456789", "")
	if _, err := s.Get([]byte("5")); err != nil {
		t.Error("mark hides from a snapshot what it saw:", err)
	}
}

// A clock is thrown ten years forward and back, the store crashes in between or is closed: what was hidden stays hidden,
// and what should live lives.
func TestClock_ThrownForwardAndBackLosesAndRevivesNothing(t *testing.T) {
	const all = "abcdefg"
	for _, policy := range betweenCalls() {
		for _, crashes := range []bool{true, false} {
			clock, fs := newClock(), simfs.New()
			open := func() *tinykv.DB {
				return mustOpen(t, "/store", &tinykv.Options{FS: fs, Clock: clock.now, Durability: tinykv.DurabilitySync})
			}
			db := open()
			again := func() {
				t.Helper()
				if crashes {
					fs = fs.Image(policy, 1)
					_ = db.Close() // on the files from before the crash
				} else {
					must(t, db.Close())
				}
				db = open()
			}
			put := func(k string, d time.Duration) { must(t, db.Put([]byte(k), []byte("v"), tinykv.TTL(d))) }

			put("a", year)
			put("b", 20*year)
			must(t, db.Put([]byte("c"), nil))
			must(t, db.Flush(context.Background()))
			put("d", year)
			clock.step(10 * year)
			wantKeys(t, db, all, "bc")
			put("e", year) // for another eleven years
			again()
			clock.step(-10 * year)
			again()
			wantKeys(t, db, all, "bce")
			put("f", time.Minute) // expires before what the clock has shown, and lives all the same
			put("a", 2*year)
			must(t, db.Compact(context.Background(), tinykv.All()))
			again()
			wantKeys(t, db, all, "abcef")
			clock.step(time.Minute)
			wantKeys(t, db, all, "abce")
			again()
			clock.step(3 * year)
			wantKeys(t, db, all, "bce")
			clock.step(9 * year)
			again()
			wantKeys(t, db, all, "bc")
			must(t, db.Close())
		}
	}
}

func TestClock_ThatNobodySawHidesNothing(t *testing.T) {
	db, clock := withClock(t)
	must(t, db.Put([]byte("a"), nil, tinykv.TTL(year)))
	clock.step(10 * year)
	must(t, db.Put([]byte("b"), nil, tinykv.TTL(year))) // reads the clock, and hides nothing by it
	clock.step(-10 * year)
	wantKeys(t, db, "ab", "ab")
	clock.step(year)
	wantKeys(t, db, "ab", "b")
}

func TestClock_StepsBackBelowASecondAreSmoothed(t *testing.T) {
	db, clock := withClock(t)
	must(t, db.Put([]byte("a"), nil, tinykv.TTL(time.Minute)))
	clock.step(time.Minute)
	wantKeys(t, db, "a", "")
	clock.step(-time.Second + 1)
	must(t, db.Put([]byte("b"), nil, tinykv.TTL(time.Minute))) // counts from where the clock stood
	wantKeys(t, db, "ab", "b")
	clock.step(time.Minute)
	wantKeys(t, db, "ab", "b")
	clock.step(time.Second - 1)
	wantKeys(t, db, "ab", "")
}

func TestClock_OfAStoreWhereNothingExpiresIsNotRead(t *testing.T) {
	dir := t.TempDir()
	opts := &tinykv.Options{Clock: func() time.Time { panic("read") }}
	for range 2 {
		db := mustOpen(t, dir, opts)
		must(t, db.Put([]byte("a"), nil))
		wantKeys(t, db, "a", "a")
		s, err := db.NewSnapshot()
		must(t, err)
		must(t, s.Close())
		must(t, db.Compact(context.Background(), tinykv.All()))
		must(t, db.Close())
	}
}

func TestExpiry_IsToldByExplainAndMetrics(t *testing.T) {
	db, clock := withClock(t)
	must(t, db.Put([]byte("a"), []byte("12"), tinykv.TTL(time.Minute)))
	must(t, db.Put([]byte("b"), []byte("3")))
	e, err := db.Explain([]byte("a"))
	must(t, err)
	if !e.Found || e.ValueBytes != 2 || !e.ExpiresAt.Equal(noon.Add(time.Minute)) || !strings.Contains(e.String(), "expires at 2030-01-01T12:01:00Z") {
		t.Error(e)
	}
	must(t, db.Flush(context.Background()))
	if m := db.Metrics(); m.Levels[0].Expiring != 1 || m.DeadBytes != 0 || m.Keys != 2 || m.ExpiredValues != 0 {
		t.Error(m)
	}
	clock.step(time.Minute)
	if m := db.Metrics(); m.DeadBytes == 0 || m.Keys != 1 {
		t.Error(m)
	}
	if e, err = db.Explain([]byte("a")); err != nil || e.Found || !strings.Contains(e.String(), "has expired") {
		t.Error(e, err)
	}
	must(t, db.Compact(context.Background(), tinykv.All()))
	if m := db.Metrics(); m.ExpiredValues != 1 || m.DeadBytes != 0 || !strings.Contains(m.String(), "expired and dropped: 1") {
		t.Error(m)
	}
}

func TestExpiry_TablesOfWhichAllHasExpiredGoAtOnce(t *testing.T) {
	db, clock := withClock(t)
	for _, k := range []string{"a", "b", "c"} {
		must(t, db.Put([]byte(k), []byte("v"), tinykv.TTL(time.Minute)))
		must(t, db.Flush(context.Background()))
	}
	s, err := db.NewSnapshot()
	must(t, err)
	clock.step(time.Minute)
	db.LookForExpired()
	db.SettleDown()
	if m := db.Metrics(); m.DroppedTables != 0 {
		t.Error("a snapshot sees them still")
	}
	must(t, s.Close())
	db.SettleDown()
	if m := db.Metrics(); m.DroppedTables != 3 || m.TableBytes != 0 || m.ExpiredValues != 3 || m.Compactions != 0 {
		t.Error(m)
	}
}

// The alarm, by the clock of the system.
func TestExpiry_SpaceComesBackWithNoCall(t *testing.T) {
	dropped := make(chan struct{})
	db := mustOpen(t, "/store", &tinykv.Options{FS: vfs.NewMem(), Events: &tinykv.Events{
		TableDeleted: func(tinykv.TableInfo) { close(dropped) },
	}})
	must(t, db.Put([]byte("a"), []byte("v"), tinykv.TTL(200*time.Millisecond)))
	must(t, db.Flush(context.Background()))
	<-dropped
}

// While a clock jumps, whoever has found a value absent never finds it again, and what does not expire is there.
func TestConcurrent_ClockThatJumpsRevivesNothing(t *testing.T) {
	clock := newClock()
	db := mustOpen(t, "/store", &tinykv.Options{FS: vfs.NewMem(), Clock: clock.now, MemTableSize: 64 << 10})
	must(t, db.Put([]byte("stays"), nil))
	var readers sync.WaitGroup
	for r := range 4 {
		readers.Go(func() {
			for i := range 300 {
				k := fmt.Appendf(nil, "%d/%d", r, i)
				if err := db.Put(k, make([]byte, 200), tinykv.TTL(time.Duration(1+i%50)*time.Minute)); err != nil {
					t.Error(err)
				}
				gone := false
				for range 20 {
					has, err := db.Has(k)
					if err != nil || has && gone {
						t.Errorf("%s: %v, although it was gone (%v)", k, has, err)
					}
					gone = !has
					if has, err := db.Has([]byte("stays")); err != nil || !has {
						t.Error(has, err)
					}
				}
				if s, err := db.NewSnapshot(); err != nil {
					t.Error(err)
				} else {
					before, _ := s.Count(context.Background(), tinykv.All())
					clock.step(time.Duration(i%7-2) * time.Minute)
					after, _ := s.Count(context.Background(), tinykv.All())
					if before != after {
						t.Errorf("a snapshot of %d keys has %d", before, after)
					}
					_ = s.Close()
				}
			}
		})
	}
	readers.Wait()
}

func TestTTL_CostsNoMemory(t *testing.T) {
	db, _ := withClock(t)
	k, v := []byte("key"), []byte("value")
	must(t, db.Put(k, v, tinykv.TTL(time.Minute)))
	if n := testing.AllocsPerRun(200, func() { must(t, db.Put(k, v, tinykv.TTL(time.Minute))) }); n > 0 {
		t.Errorf("%v allocations for a Put", n)
	}
	dst := make([]byte, 0, 100)
	if n := testing.AllocsPerRun(200, func() { _, _ = db.GetTo(dst, k) }); n > 0 {
		t.Errorf("%v allocations for a GetTo", n)
	}
}

func TestResume_KeepsMarksAndTheMergeOperator(t *testing.T) {
	clock, fs := newClock(), simfs.New()
	open := func() *tinykv.DB {
		return mustOpen(t, "/store", &tinykv.Options{FS: fs, Clock: clock.now, MergeOperator: tinykv.MergeAppend})
	}
	db := open()
	must(t, db.Put([]byte("a"), nil, tinykv.TTL(year)))
	must(t, db.Merge([]byte("m"), []byte("x")))
	clock.step(10 * year)
	wantKeys(t, db, "am", "m")
	clock.step(-10 * year)
	wantKeys(t, db, "am", "m")
	breakStore(t, db, fs)
	must(t, db.Resume())
	wantKeys(t, db, "am", "m")
	must(t, db.Close())
	db = mustOpen(t, "/store", &tinykv.Options{FS: fs, Clock: clock.now}) // the operator is the store's
	wantKeys(t, db, "am", "m")
	must(t, db.Merge([]byte("m"), []byte("y")))
	must(t, db.Close())
}

func TestTTL_InTransactions(t *testing.T) {
	db, clock := withClock(t)
	must(t, db.Update(func(tx *tinykv.Tx) error {
		if err := tx.Put([]byte("a"), []byte("v"), tinykv.TTL(time.Minute)); err != nil {
			return err
		}
		must(t, db.Put([]byte("b"), []byte("v"), tinykv.TTL(time.Minute)))
		must(t, db.Compact(context.Background(), tinykv.All())) // looks at the readings of all transactions
		clock.step(time.Hour)
		_, err := tx.Get([]byte("a")) // its clock stands still
		return err
	}))
	wantKeys(t, db, "ab", "")
	clock.step(-time.Hour) // what was written for a minute had expired before it was committed
	wantKeys(t, db, "ab", "")
	must(t, db.Put([]byte("b"), []byte("v"), tinykv.TTL(time.Minute)))
	must(t, db.View(func(tx *tinykv.Tx) error {
		clock.step(time.Hour)
		_, err := tx.Get([]byte("b"))
		return err
	}))
}

func TestRepair_LeavesOutWhatWasHiddenAndKeepsExpiries(t *testing.T) {
	clock, fs := newClock(), vfs.NewMem()
	opts := &tinykv.Options{FS: fs, Clock: clock.now}
	db := mustOpen(t, "/store", opts)
	must(t, db.Put([]byte("a"), nil, tinykv.TTL(year)))
	must(t, db.Put([]byte("b"), nil, tinykv.TTL(20*year)))
	must(t, db.Flush(context.Background()))
	clock.step(10 * year)
	wantKeys(t, db, "abc", "b")
	clock.step(-10 * year)
	must(t, db.Put([]byte("c"), nil, tinykv.TTL(time.Hour)))
	must(t, db.Close())
	_, err := tinykv.Repair(context.Background(), "/store", "/copy", &tinykv.RepairOptions{FS: fs})
	must(t, err)
	db = mustOpen(t, "/copy", opts)
	wantKeys(t, db, "abc", "bc")
	clock.step(time.Hour)
	wantKeys(t, db, "abc", "b")
	must(t, db.Close())
}
