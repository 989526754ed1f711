package tinykv_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
)

// Whatever is written, in whatever way, and however the clock jumps: who follows a store by what it is told believes what is in it, and was told of each
// expiry once, of a value that was there. So does another, who breaks off anywhere and goes on, but for expiries that came while it was away.
func TestWatch_FollowersBelieveWhatThereIs(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		for _, bucket := range []string{"", "b"} {
			t.Run(fmt.Sprintf("seed %d, bucket %q", seed, bucket), func(t *testing.T) { follows(t, seed, bucket) })
		}
	}
}

func follows(t *testing.T, seed uint64, bucket string) {
	clock := &watchClock{}
	o := tiny
	o.Clock, o.MergeOperator = clock.now, tinykv.MergeAppend
	db := mustOpen(t, t.TempDir(), &o)
	defer db.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // an expiry that never comes ends the test
	defer cancel()
	h := &followed{T: t, Rand: rand.New(rand.NewPCG(seed, 1)), clock: clock, db: db, bucket: bucket}
	h.store = writesTo(db, bucket)
	must(t, h.store.Put([]byte("mark"), nil))
	h.seq = lastSeq(db)
	must(t, h.store.Put([]byte("first"), nil, tinykv.TTL(time.Hour)))
	next, stop := iter.Pull2(watchOf(ctx, db, bucket, tinykv.All(), h.seq))
	defer stop()
	h.next = next
	first, err, _ := next() // so it is there from now on
	must(t, err)
	h.there = follower{"mark": believed{}}
	must(t, h.there.learn(first))
	h.away = maps.Clone(h.there)
	defer lasting(t, db)()
	for range 25 {
		h.act(ctx)
		h.compare(ctx)
	}
}

// writer is what writes to a store, or to a bucket of it.
type writer interface {
	Put(k, value []byte, opts ...tinykv.WriteOption) error
	Delete(k []byte, opts ...tinykv.WriteOption) error
	DeleteRange(lower, upper []byte, opts ...tinykv.WriteOption) error
	Merge(k, operand []byte, opts ...tinykv.WriteOption) error
}

// writesTo returns what writes to a bucket of the store, of a batch or of a transaction; or outside of buckets.
func writesTo(of interface {
	writer
	Bucket(name string) *tinykv.Bucket
}, bucket string,
) writer {
	if bucket == "" {
		return of
	}
	return of.Bucket(bucket)
}

func watchOf(ctx context.Context, db *tinykv.DB, bucket string, r tinykv.Range, since uint64) iter.Seq2[tinykv.Event, error] {
	if bucket == "" {
		return db.Watch(ctx, r, since)
	}
	return db.Bucket(bucket).Watch(ctx, r, since)
}

type believed struct {
	value   string
	expires time.Time
}

// follower is what somebody believes to be in a store.
type follower map[string]believed

// followed is a store with its followers.
type followed struct {
	*testing.T
	*rand.Rand
	clock  *watchClock
	db     *tinykv.DB
	bucket string
	store  writer

	there follower // always watches, by next
	next  func() (tinykv.Event, error, bool)

	away  follower // watches now and then; is here:
	seq   uint64
	count int
}

func (h *followed) act(ctx context.Context) {
	switch h.IntN(10) {
	case 0, 1, 2:
		h.write(h.store, 1+h.IntN(5), 10)
	case 3, 4:
		b := h.db.NewBatch()
		h.write(writesTo(b, h.bucket), 1+h.IntN(20), 10)
		must(h, h.db.Apply(b))
	case 5:
		b := h.db.NewBatch()
		h.write(writesTo(b, h.bucket), 25, 8000)
		must(h, h.db.Apply(b))
	case 6:
		must(h, h.db.Update(func(tx *tinykv.Tx) error {
			h.write(writesTo(tx, h.bucket), 25, 20_000)
			return nil
		}))
	case 7:
		must(h, h.db.Compact(ctx, tinykv.All()))
	case 8:
		h.join(ctx)
	case 9:
		must(h, h.db.Flush(ctx))
	}
	if h.OneIn(2) {
		seconds := h.clock.seconds.Load()
		if seconds += int64(h.IntN(30)); h.OneIn(3) {
			seconds -= int64(h.IntN(100))
		}
		h.clock.set(h.db, seconds)
	}
}

func (h *followed) OneIn(n int) bool { return h.IntN(n) == 0 }

// join has another one watch some keys to the end of the test.
func (h *followed) join(ctx context.Context) {
	n := h.db.Metrics().Watch.Watchers
	if n > 5 {
		return
	}
	r := tinykv.Prefix(fmt.Appendf(nil, "k%d", h.IntN(4)))
	if h.OneIn(3) {
		r = tinykv.All()
	}
	db, bucket := h.db, h.bucket
	go func() {
		for range watchOf(ctx, db, bucket, r, 0) {
			continue
		}
	}()
	watching(h, h.db, n+1)
}

// write does some operations, on values up to a length.
func (h *followed) write(to writer, n, length int) {
	for range n {
		k := fmt.Appendf(nil, "k%02d", h.IntN(40))
		v := make([]byte, h.IntN(length))
		for i := range v {
			v[i] = 'a' + byte(h.count%26)
		}
		h.count++
		switch h.IntN(12) {
		case 0, 1:
			must(h, to.Delete(k))
		case 2:
			must(h, to.DeleteRange(k, fmt.Appendf(nil, "%s~%d", k[:2], h.IntN(2))))
		case 3, 4:
			must(h, to.Merge(k, v[:len(v)/10]))
		case 5, 6:
			must(h, to.Put(k, v))
		case 7:
			must(h, to.Put(k, v, tinykv.ExpireAt(h.clock.now().Add(time.Duration(h.IntN(20)-10)*time.Second))))
		default:
			must(h, to.Put(k, v, tinykv.TTL(time.Duration(1+h.IntN(60))*time.Second)))
		}
	}
}

// learn does what an event tells. What expires must be what was believed in.
func (f follower) learn(e tinykv.Event) error {
	k := string(e.Key)
	switch e.Kind {
	case tinykv.EventPut:
		f[k] = believed{string(e.Value), e.ExpiresAt}
	case tinykv.EventDelete:
		delete(f, k)
	case tinykv.EventDeleteRange:
		maps.DeleteFunc(f, func(k string, _ believed) bool { return k >= string(e.Key) && (e.Upper == nil || k < string(e.Upper)) })
	case tinykv.EventMerge:
		f[k] = believed{f[k].value + string(e.Value), f[k].expires}
	case tinykv.EventExpire:
		if b, ok := f[k]; !ok || !b.expires.Equal(e.ExpiresAt) {
			return fmt.Errorf("told that %s expired at %v, where there is %v until %v", k, e.ExpiresAt, ok, b.expires)
		}
		delete(f, k)
	}
	return nil
}

// held is what there is.
func (h *followed) held() follower {
	f, scan := follower{}, h.db.Scan(tinykv.All())
	if h.bucket != "" {
		scan = h.db.Bucket(h.bucket).Scan(tinykv.All())
	}
	for item, err := range scan {
		must(h, err)
		f[string(item.Key)] = believed{string(item.Value), item.ExpiresAt}
	}
	return f
}

// sameAs tells whether followers believe in the same.
func (f follower) sameAs(other follower) bool {
	return maps.EqualFunc(f, other, func(a, b believed) bool { return a.value == b.value && a.expires.Equal(b.expires) })
}

// compare has the followers learn, until they believe what there is.
func (h *followed) compare(ctx context.Context) {
	must(h, h.store.Put([]byte("mark"), fmt.Append(nil, h.count)))
	last, held := lastSeq(h.db), h.held()
	for marked := false; !marked || !h.there.sameAs(held); {
		e, err, _ := h.next()
		if err != nil {
			h.Fatalf("%v; believes in %s, but there is %s", err, h.there, held)
		}
		if err := h.there.learn(e); err != nil {
			h.Fatal(err)
		}
		marked = marked || e.Seq == last
	}
	h.goOn(ctx, last, held)
}

// goOn has the one who was away learn, with breaks, up to a number.
func (h *followed) goOn(ctx context.Context, last uint64, held follower) {
	if h.OneIn(3) {
		return
	}
	unsure := map[string]bool{}
	for h.seq < last {
		for e, err := range watchOf(ctx, h.db, h.bucket, tinykv.All(), h.seq) {
			if errors.Is(err, tinykv.ErrLagged) {
				h.seq, h.away = last, maps.Clone(held)
				return
			}
			must(h, err)
			if e.Kind != tinykv.EventExpire && e.Seq > h.seq {
				if e.Kind == tinykv.EventMerge && !h.away[string(e.Key)].expires.IsZero() {
					unsure[string(e.Key)] = true // it may have expired while nobody was told
				}
				must(h, h.away.learn(e))
				h.seq = e.Seq
			}
			if e.Seq >= last || h.OneIn(10) {
				break
			}
		}
	}
	maps.DeleteFunc(h.away, func(k string, b believed) bool {
		_, ok := held[k]
		return !ok && !b.expires.IsZero()
	})
	for k := range unsure {
		delete(h.away, k)
		if b, ok := held[k]; ok {
			h.away[k] = b
		}
	}
	if !h.away.sameAs(held) {
		h.Fatalf("who was away believes in %s, but there is %s", h.away, held)
	}
}

// String writes keys and when they expire.
func (f follower) String() string {
	s := map[string]string{}
	for k, b := range f {
		s[k] = fmt.Sprint(len(b.value))
		if !b.expires.IsZero() {
			s[k] += fmt.Sprint("@", b.expires.Unix()-1_000_000)
		}
	}
	return fmt.Sprint(s)
}
