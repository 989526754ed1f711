package tinykv_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// inLetters writes an event in a few letters: +fig=ripe, -fig, [a,b), and a full stop at the end of a batch.
func inLetters(e tinykv.Event) string {
	s := ""
	switch e.Kind {
	case tinykv.EventPut:
		s = fmt.Sprintf("+%s=%s", e.Key, e.Value)
	case tinykv.EventDelete:
		s = fmt.Sprintf("-%s", e.Key)
	case tinykv.EventDeleteRange:
		upper := "end"
		if e.Upper != nil {
			upper = string(e.Upper)
		}
		s = fmt.Sprintf("[%s,%s)", e.Key, upper)
	case tinykv.EventMerge:
		s = fmt.Sprintf("*%s*%s", e.Key, e.Value)
	default:
		s = e.Kind.String()
	}
	if e.Bucket != "" {
		s = e.Bucket + "/" + s
	}
	if !e.ExpiresAt.IsZero() {
		s += "@" + e.ExpiresAt.UTC().Format(time.DateOnly)
	}
	if e.Last {
		s += "."
	}
	return s
}

// take returns the next n events of a watch in letters.
func take(t testing.TB, n int, watch iter.Seq2[tinykv.Event, error]) string {
	t.Helper()
	var all []string
	if n == 0 {
		return ""
	}
	for e, err := range watch {
		must(t, err)
		if all = append(all, inLetters(e)); len(all) == n {
			break
		}
	}
	return strings.Join(all, " ")
}

// ends returns the error that a watch ends with, which has nothing else to tell.
func ends(t testing.TB, watch iter.Seq2[tinykv.Event, error]) error {
	t.Helper()
	for e, err := range watch {
		if err == nil {
			t.Fatalf("told %s", inLetters(e))
		}
		return err
	}
	t.Fatal("the loop ended without an error")
	return nil
}

func lastSeq(db *tinykv.DB) uint64 { return db.Metrics().LastSeq }

// watching waits until a store has so many watchers.
func watching(t testing.TB, db *tinykv.DB, n int) {
	t.Helper()
	for db.Metrics().Watch.Watchers != n {
		runtime.Gosched()
	}
}

func TestWatch_TellsWhatIsCommittedAfterTheCallAndNotBefore(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	defer db.Close()
	must(t, db.Put([]byte("old"), []byte("1")))
	watch := db.Watch(t.Context(), tinykv.All(), 0)
	must(t, db.Put([]byte("fig"), []byte("ripe")))
	must(t, db.Put([]byte("fig"), nil))
	must(t, db.Delete([]byte("kiwi")))
	must(t, db.DeleteRange([]byte("a"), []byte("c")))
	must(t, db.DeleteRange(nil, nil))
	want := "+fig=ripe. +fig=. -kiwi. [a,c). [,end)."
	if got := take(t, 5, watch); got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	if got := take(t, 5, watch); got != want {
		t.Errorf("a second loop: told %s, want %s", got, want)
	}
}

func TestWatch_NumbersAndMarksEventsOfBatches(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	defer db.Close()
	b := db.NewBatch()
	for _, k := range []string{"a1", "b1", "a2", "c", "b2"} {
		must(t, b.Put([]byte(k), []byte("x")))
	}
	must(t, b.DeleteRange([]byte("b2"), []byte("z")))
	for _, c := range []struct {
		name  string
		r     tinykv.Range
		since uint64
		want  string
	}{
		{"everything", tinykv.All(), 0, "+a1=x +b1=x +a2=x +c=x +b2=x [b2,z)."},
		{"the range deletion is cut", tinykv.Prefix([]byte("b")), 0, "+b1=x +b2=x [b2,c)."},
		{"the last of the watched ones ends the batch", tinykv.Prefix([]byte("a")), 0, "+a1=x +a2=x."},
		{"a range deletion alone", tinykv.Between([]byte("x"), nil), 0, "[x,z)."},
		{"behind the third operation", tinykv.All(), 3, "+c=x +b2=x [b2,z)."},
		{"behind the last of a prefix", tinykv.Prefix([]byte("a")), 1, "+a2=x."},
	} {
		watch := db.Watch(t.Context(), c.r, c.since+lastSeq(db))
		must(t, db.Apply(b))
		if got := take(t, 1+strings.Count(c.want, " "), watch); got != c.want && c.since == 0 {
			t.Errorf("%s: told %s, want %s", c.name, got, c.want)
		} else if c.since > 0 && got != c.want {
			t.Errorf("%s: told %s, want %s", c.name, got, c.want)
		}
	}
}

func TestWatch_EventsBelongToTheReceiver(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	defer db.Close()
	watch := db.Watch(t.Context(), tinykv.All(), 0)
	must(t, db.Put([]byte("fig"), []byte("ripe")))
	for e := range watch {
		for i := range e.Key {
			e.Key[i] = 'x'
		}
		e.Key = append(e.Key, "behind"...)
		if string(e.Value) != "ripe" {
			t.Errorf("the key reaches into the value: %q", e.Value)
		}
		break
	}
	if got := take(t, 1, watch); got != "+fig=ripe." {
		t.Errorf("told %s after the receiver wrote into an event", got)
	}
}

func TestWatch_EndsAsItIsAskedTo(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	result := make(chan error)
	begin := func(ctx context.Context) {
		go func() { result <- ends(t, db.Watch(ctx, tinykv.All(), 0)) }()
		watching(t, db, 1)
	}
	begin(ctx)
	cancel(cause)
	if err := <-result; !errors.Is(err, cause) {
		t.Errorf("the context ended: %v, want its cause", err)
	}
	watching(t, db, 0)
	begin(t.Context())
	must(t, db.Close())
	if err := <-result; !errors.Is(err, tinykv.ErrClosed) {
		t.Errorf("the store was closed: %v", err)
	}
	watching(t, db, 0)
}

func TestWatch_RefusesWhatItCannotDo(t *testing.T) {
	fs := vfs.NewMem()
	db := mustOpen(t, "store", &tinykv.Options{FS: fs})
	inverted := tinykv.Between([]byte("b"), []byte("a"))
	var missing context.Context
	for _, c := range []struct {
		name  string
		watch iter.Seq2[tinykv.Event, error]
		want  error
	}{
		{"inverted bounds", db.Watch(t.Context(), inverted, 0), tinykv.ErrInvalidRange},
		{"no context", db.Watch(missing, tinykv.All(), 0), tinykv.ErrInvalidOption},
		{"a number that no write has", db.Watch(t.Context(), tinykv.All(), 1), tinykv.ErrLagged},
	} {
		if err := ends(t, c.watch); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	must(t, db.Close())
	if err := ends(t, db.Watch(t.Context(), inverted, 0)); !errors.Is(err, tinykv.ErrClosed) {
		t.Errorf("a closed store: %v", err)
	}
	db = mustOpen(t, "store", &tinykv.Options{FS: fs, ReadOnly: true})
	defer db.Close()
	if err := ends(t, db.Watch(t.Context(), tinykv.All(), 0)); !errors.Is(err, tinykv.ErrReadOnly) {
		t.Errorf("a store that is read only: %v", err)
	}
}

func TestWatch_LeftInTheMiddleOfABatchGoesOnThere(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	defer db.Close()
	b := db.NewBatch()
	for i := range 5 {
		must(t, b.Put(fmt.Append(nil, i), []byte("x")))
	}
	watch := db.Watch(t.Context(), tinykv.All(), 0)
	must(t, db.Apply(b))
	for e, err := range watch {
		must(t, err)
		if string(e.Key) == "2" {
			watch = db.Watch(t.Context(), tinykv.All(), e.Seq)
			break
		}
	}
	if got := take(t, 2, watch); got != "+3=x +4=x." {
		t.Errorf("told %s", got)
	}
}

// What a large batch comes to is told, in the order of keys, and in its place among the others.
func TestWatch_TellsLargeBatches(t *testing.T) {
	o := tiny
	db := mustOpen(t, t.TempDir(), &o)
	defer db.Close()
	large := func(keys string) *tinykv.Batch {
		b := db.NewBatch()
		must(t, b.Put([]byte("a"), []byte("0")))
		must(t, b.DeleteRange([]byte("a"), []byte("c")))
		for _, k := range strings.Split(keys, "") {
			must(t, b.Put([]byte(k), []byte("1")))
		}
		must(t, b.Put([]byte("x"), make([]byte, 100<<10)))
		must(t, b.Delete([]byte("x")))
		return b
	}
	result := make(chan string)
	go func() { result <- take(t, 11, db.Watch(t.Context(), tinykv.Between([]byte("a"), []byte("y")), 0)) }()
	watching(t, db, 1)
	must(t, db.Put([]byte("before"), nil))
	must(t, db.Apply(large("dbe")))
	must(t, db.Put([]byte("between"), nil))
	must(t, db.Apply(large("f")))
	must(t, db.Put([]byte("behind"), nil))
	if db.Metrics().LargeWrites != 2 {
		t.Fatalf("%d large batches", db.Metrics().LargeWrites)
	}
	want := "+before=. [a,c) +b=1 +d=1 +e=1 -x. +between=. [a,c) +f=1 -x. +behind=."
	if got := <-result; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
}

// twin is what a watcher believes to be in the store.
type twin map[string]string

func (m twin) learn(e tinykv.Event) {
	switch e.Kind {
	case tinykv.EventPut:
		m[string(e.Key)] = string(e.Value)
	case tinykv.EventDelete:
		delete(m, string(e.Key))
	case tinykv.EventDeleteRange:
		for k := range m {
			if k >= string(e.Key) && (e.Upper == nil || k < string(e.Upper)) {
				delete(m, k)
			}
		}
	}
}

// Several writers, many watchers, of different ranges, who join and leave in the middle: each is told everything in its range, once,
// in order.
func TestWatch_TellsAllInOrderWhileManyWrite(t *testing.T) {
	o := tiny
	o.MemTableSize, o.MemoryBudget = 256<<10, 64<<20
	db := mustOpen(t, t.TempDir(), &o)
	defer db.Close()
	const writers, rounds, watchers = 4, 800, 12
	defer lasting(t, db)()
	var watchersDone sync.WaitGroup
	ranges := []tinykv.Range{tinykv.All(), tinykv.Prefix([]byte("k1")), tinykv.Between([]byte("k2"), []byte("k31")), tinykv.Between([]byte("k2"), nil)}
	for i := range watchers {
		watchersDone.Go(func() { follow(t, db, ranges[i%len(ranges)], i) })
	}
	watching(t, db, watchers+1)
	parallel(repeated(writers, func(w int) {
		rng := rand.New(rand.NewPCG(uint64(w), 1))
		for range rounds {
			b := db.NewBatch()
			for range 1 + rng.IntN(4) {
				k := fmt.Appendf(nil, "k%d", rng.IntN(50))
				switch rng.IntN(8) {
				case 0:
					must(t, b.Delete(k))
				case 1:
					must(t, b.DeleteRange(k, append(k[:len(k):len(k)], '~')))
				default:
					must(t, b.Put(k, make([]byte, rng.IntN(50))))
				}
			}
			must(t, db.Apply(b))
		}
	})...)
	last := db.NewBatch()
	must(t, last.Put([]byte("k1"), []byte("end")))
	must(t, last.Put([]byte("k3"), []byte("end")))
	must(t, db.Apply(last))
	watchersDone.Wait()
}

// lasting watches until it is stopped, so that the store keeps what was committed last when all others leave.
func lasting(t testing.TB, db *tinykv.DB) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	before := db.Metrics().Watch.Watchers
	go func() {
		defer close(done)
		for range db.Watch(ctx, tinykv.Prefix([]byte("nothing")), 0) {
			return
		}
	}()
	watching(t, db, before+1)
	return func() {
		cancel()
		<-done
	}
}

// follow checks what a watcher is told until it is told of the value "end", leaving and resuming the loop now and then.
func follow(t *testing.T, db *tinykv.DB, r tinykv.Range, seed int) {
	rng := rand.New(rand.NewPCG(uint64(seed), 2))
	believed, seq := twin{}, uint64(0)
	start := lastSeq(db)
	for over := false; !over; {
		for e, err := range db.Watch(t.Context(), r, max(seq, start)) {
			if err != nil {
				t.Error(err)
				return
			}
			if e.Seq <= seq {
				t.Errorf("number %d follows %d", e.Seq, seq)
				return
			}
			seq = e.Seq
			believed.learn(e)
			if over = over || string(e.Value) == "end"; over && e.Last || rng.IntN(50) == 0 {
				break
			}
		}
	}
	held := twin{}
	for item, err := range db.Scan(r) {
		must(t, err)
		held[string(item.Key)] = string(item.Value)
	}
	if !maps.Equal(held, believed) {
		t.Errorf("watcher %d believes that there is\n%q, but there is\n%q", seed, believed, held)
	}
}

func TestWatch_TellsOfMerges(t *testing.T) {
	db := mustOpen(t, t.TempDir(), &tinykv.Options{MergeOperator: tinykv.MergeAppend})
	defer db.Close()
	watch := db.Watch(t.Context(), tinykv.All(), 0)
	must(t, db.Merge([]byte("list"), []byte("a")))
	must(t, db.Merge([]byte("list"), []byte("b")))
	b := db.NewBatch()
	must(t, b.Merge([]byte("list"), []byte("c")))
	must(t, b.Merge([]byte("list"), nil))
	must(t, db.Apply(b))
	want := "*list*a. *list*b. *list*c *list*."
	if got := take(t, 4, watch); got != want {
		t.Errorf("from the log: told %s, want %s", got, want)
	}
	defer lasting(t, db)()
	watch = db.Watch(t.Context(), tinykv.All(), 0)
	must(t, db.Merge([]byte("list"), []byte("a")))
	must(t, db.Merge([]byte("list"), []byte("b")))
	must(t, db.Apply(b))
	if got := take(t, 4, watch); got != want {
		t.Errorf("from memory: told %s, want %s", got, want)
	}
}

func TestWatch_OfABucketTellsWhatHappensInBucketsOfThatName(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	defer db.Close()
	must(t, db.Put([]byte("first"), nil))
	do := func() {
		b := db.NewBatch()
		must(t, b.Put([]byte("outside"), nil))
		must(t, b.Bucket("fruit").Put([]byte("fig"), []byte("ripe")))
		must(t, b.Bucket("other").Put([]byte("fig"), []byte("of wood")))
		must(t, db.Apply(b))
		must(t, db.Bucket("fruit").DeleteRange([]byte("a"), []byte("f")))
		must(t, db.Bucket("fruit").DeleteRange([]byte("f"), nil))
		must(t, db.DropBucket(t.Context(), "fruit"))
		must(t, db.DropBucket(t.Context(), "other"))
		must(t, db.Bucket("fruit").Put([]byte("fig"), []byte("new")))
	}
	want := "fruit/+fig=ripe. fruit/[a,f). fruit/[f,end). fruit/[,end). fruit/+fig=new."
	result := make(chan string)
	go func() { result <- take(t, 5, db.Bucket("fruit").Watch(t.Context(), tinykv.All(), 0)) }()
	watching(t, db, 1)
	before := lastSeq(db)
	do()
	if got := <-result; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	if err := ends(t, db.Bucket("fruit").Watch(t.Context(), tinykv.All(), before)); !errors.Is(err, tinykv.ErrLagged) {
		t.Errorf("from before the bucket was dropped: %v", err)
	}
	if got := take(t, 1, db.Bucket("fruit").Watch(t.Context(), tinykv.All(), lastSeq(db)-1)); got != "fruit/+fig=new." {
		t.Errorf("from behind the drop: told %s", got)
	}
	if got := take(t, 1, db.Watch(t.Context(), tinykv.All(), before)); got != "+outside=." {
		t.Errorf("outside of buckets: told %s", got)
	}
}

func TestWatch_OfABucketIsOfTheStoreAlone(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	defer db.Close()
	for _, b := range []*tinykv.Bucket{db.NewBatch().Bucket("a"), db.Bucket("")} {
		if err := ends(t, b.Watch(t.Context(), tinykv.All(), 0)); !errors.Is(err, tinykv.ErrInvalidOption) {
			t.Errorf("%v", err)
		}
	}
}

// story writes operations with the numbers from+1 to to of a store that has nothing else.
func story(t testing.TB, db *tinykv.DB, from, to int) {
	for i := from; i < to; i++ {
		must(t, db.Put(fmt.Appendf(nil, "k%02d", i%70), fmt.Appendf(make([]byte, 0, 200), "%0200d", i)))
	}
}

// follow learns from a watch to a sequence number.
func (m twin) follow(watch iter.Seq2[tinykv.Event, error], to uint64, each func(e tinykv.Event)) (last uint64, err error) {
	for e, err := range watch {
		if err != nil {
			return last, err
		}
		if e.Seq != last+1 && last > 0 {
			return last, fmt.Errorf("number %d follows %d", e.Seq, last)
		}
		m.learn(e)
		each(e)
		if last = e.Seq; last >= to {
			return last, nil
		}
	}
	return last, nil
}

func contents(t testing.TB, db *tinykv.DB) twin {
	m := twin{}
	for item, err := range db.Scan(tinykv.All()) {
		must(t, err)
		m[string(item.Key)] = string(item.Value)
	}
	return m
}

// A watcher that writers have left behind reads the log, and then memory again, and misses nothing.
func TestWatch_SlowWatcherGoesOnFromTheLog(t *testing.T) {
	db := mustOpen(t, t.TempDir(), &tinykv.Options{MemoryBudget: 16 << 20, MemTableSize: 3 << 20, CacheSize: -1})
	defer db.Close()
	watch := db.Watch(t.Context(), tinykv.All(), 0)
	story(t, db, 0, 1)
	believed, written := twin{}, 1
	_, err := believed.follow(watch, 8000, func(e tinykv.Event) {
		if e.Seq%500 == 1 && written < 8000 { // the feed has room for a MiB
			next := min(written+rand.New(rand.NewPCG(e.Seq, 1)).IntN(6500), 8000)
			story(t, db, written, next)
			written = next
		}
		if b := db.Metrics().Watch.Bytes; b > 2<<20 {
			t.Fatalf("watchers use %d bytes", b)
		}
		if int(e.Seq) == written && written < 8000 {
			story(t, db, written, written+1)
			written++
		}
	})
	must(t, err)
	if !maps.Equal(believed, contents(t, db)) {
		t.Error("the watcher believes something else than what the store holds")
	}
}

// A watcher that neither memory nor the log has anything for is told so at once, and goes on from a snapshot.
func TestWatch_TooSlowWatcherIsToldSo(t *testing.T) {
	o := tiny
	o.MemoryBudget, o.CacheSize = 1<<20, -1
	db := mustOpen(t, t.TempDir(), &o)
	defer db.Close()
	watch := db.Watch(t.Context(), tinykv.All(), 0)
	story(t, db, 0, 1)
	last, err := twin{}.follow(watch, 10_000, func(e tinykv.Event) {
		if e.Seq == 1 {
			story(t, db, 1, 9000)
			must(t, db.Flush(t.Context()))
		}
	})
	if !errors.Is(err, tinykv.ErrLagged) || last > 1000 {
		t.Fatalf("after %d: %v", last, err)
	}
	snapshot, err := db.NewSnapshot()
	must(t, err)
	defer snapshot.Close()
	believed := contents(t, db)
	story(t, db, 9000, 9100)
	_, err = believed.follow(db.Watch(t.Context(), tinykv.All(), snapshot.Seq()), 9100, func(tinykv.Event) {})
	must(t, err)
	if !maps.Equal(believed, contents(t, db)) {
		t.Error("the watcher believes something else than what the store holds")
	}
}

// Numbers go on over a reopening, and over a crash; what was there before is in tables, and told no more.
func TestWatch_GoesOnInAnotherLifeFromTheLastNumberAlone(t *testing.T) {
	fsys := simfs.New()
	db := mustOpen(t, "/s", &tinykv.Options{FS: fsys})
	story(t, db, 0, 10)
	must(t, db.Sync())
	crashed := fsys.Image(simfs.KillProcess, 1)
	must(t, db.Close())
	for _, after := range []*simfs.FS{fsys, crashed} {
		db = mustOpen(t, "/s", &tinykv.Options{FS: after})
		if err := ends(t, db.Watch(t.Context(), tinykv.All(), 9)); !errors.Is(err, tinykv.ErrLagged) {
			t.Errorf("from the last but one: %v", err)
		}
		watch := db.Watch(t.Context(), tinykv.All(), 10)
		must(t, db.Put([]byte("new"), []byte("1")))
		if got := take(t, 1, watch); got != "+new=1." {
			t.Errorf("told %s", got)
		}
		must(t, db.Close())
	}
}

// A write that failed is told neither then nor after a Resume, which gives its number to another one.
func TestWatch_NeverTellsOfAWriteThatFailed(t *testing.T) {
	for _, attended := range []bool{false, true} {
		fsys := simfs.New()
		db := mustOpen(t, "/s", &tinykv.Options{FS: fsys})
		stop := func() {}
		if attended {
			stop = lasting(t, db)
		}
		watch := db.Watch(t.Context(), tinykv.All(), 0)
		must(t, db.Put([]byte("a"), []byte("1")))
		behind := db.Watch(t.Context(), tinykv.All(), 1)
		fsys.FailCall(simfs.Fault{Match: func(op simfs.Op) bool { return op.Kind == simfs.OpSync && isLog(op) }})
		wantError(t, db.Put([]byte("b"), []byte("fails"), tinykv.Sync), tinykv.ErrFailed)
		if got := take(t, 1, watch); got != "+a=1." {
			t.Errorf("told %s", got)
		}
		must(t, db.Resume())
		must(t, db.Put([]byte("c"), []byte("2")))
		if got := take(t, 1, behind); got != "+c=2." {
			t.Errorf("after Resume: told %s", got)
		}
		if attended {
			if got := take(t, 2, watch); got != "+a=1. +c=2." {
				t.Errorf("over a Resume: told %s", got)
			}
		}
		stop()
		must(t, db.Close())
	}
}

// A watcher is told of a range deletion that begins before what it watches, and ends behind it, as far as that goes.
func TestWatch_TellsOfRangeDeletionsAcrossManyRanges(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	defer db.Close()
	const watchers = 20
	results := make(chan string, watchers)
	for i := range watchers {
		go func() {
			r := tinykv.Between(fmt.Appendf(nil, "%02d", i), fmt.Appendf(nil, "%02d5", i))
			results <- take(t, 2, db.Watch(t.Context(), r, 0))
		}()
	}
	watching(t, db, watchers)
	must(t, db.DeleteRange(nil, nil))
	must(t, db.DeleteRange([]byte("00"), []byte("193")))
	want := map[string]bool{}
	for i := range watchers {
		upper := fmt.Sprintf("%02d5", i)
		want[fmt.Sprintf("[%02d,%s). [%02d,%s).", i, upper, i, min(upper, "193"))] = true
	}
	for range watchers {
		if got := <-results; !want[got] {
			t.Errorf("told %s", got)
		}
	}
}

// What watchers need ends with them.
func TestWatch_LeavesNothingBehind(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	defer db.Close()
	must(t, db.Put([]byte("expires"), nil, tinykv.TTL(time.Hour)))
	before := runtime.NumGoroutine()
	for range 3 {
		watch := db.Watch(t.Context(), tinykv.All(), 0)
		must(t, db.Put([]byte("a"), nil))
		for range watch {
			break
		}
		if m := db.Metrics().Watch; m != (tinykv.WatchMetrics{}) {
			t.Errorf("left: %+v", m)
		}
		waitForGoroutines(t, "after a watch", before)
	}
}

// A transaction that went to several tables is one batch to those who watch: only its last event is marked, also for one who watches a part
// of it, and what is told up to a mark is a state that the store had.
func TestWatch_ATransactionOfSeveralTablesIsOneBatch(t *testing.T) {
	o := tiny
	db := mustOpen(t, t.TempDir(), &o)
	defer db.Close()
	follow := func(r tinykv.Range) chan []string {
		marked := make(chan []string)
		go func() {
			var batches []string
			n := 0
			for e, err := range db.Watch(t.Context(), r, 0) {
				if err != nil {
					t.Error(err)
					break
				}
				if n++; e.Last {
					batches = append(batches, fmt.Sprint(n))
					n = 0
				}
				if string(e.Key) == "zz" {
					break
				}
			}
			marked <- batches
		}()
		return marked
	}
	all, part := follow(tinykv.All()), follow(tinykv.Between([]byte("k1"), nil))
	last := follow(tinykv.Prefix([]byte("z")))
	watching(t, db, 3)
	before := db.Metrics().LargeWrites
	must(t, db.Update(func(tx *tinykv.Tx) error {
		for i := range 400 {
			must(t, tx.Put(fmt.Appendf(nil, "k%03d", i), make([]byte, 1<<10)))
		}
		return tx.Put([]byte("z"), nil)
	}))
	if n := db.Metrics().LargeWrites - before; n < 3 {
		t.Fatalf("the transaction went to %d tables", n)
	}
	b := db.NewBatch()
	must(t, b.Put([]byte("k3z"), nil))
	must(t, b.Put([]byte("zz"), nil))
	must(t, db.Apply(b))
	if got := fmt.Sprint(<-all, <-part, <-last); got != "[401 2] [301 2] [1 1]" {
		t.Errorf("batches of %s events, want [401 2] [301 2] [1 1]", got)
	}
}
