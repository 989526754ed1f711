package tinykv_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
)

// Transactions of all sizes, and other writes meanwhile, with merges, an operator that fails now and then, values that expire, a clock that jumps both
// ways, and buckets: what a transaction sees, whether it commits, and what is there afterwards is as a plain model says.
func TestTx_WithMergesAndExpiryIsThatOfAPlainModel(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			h := &mixHistory{T: t, Random: enginetest.NewRandom(seed), store: mixStore{}, buckets: map[string]bool{}}
			h.seconds.Store(1_000_000)
			h.options = mergingOptions(moody{&h.failing})
			h.options.Clock = func() time.Time { return time.Unix(h.seconds.Load(), 0) }
			h.db = mustOpen(t, "/store", h.options)
			for range 150 {
				h.between()
				h.transaction()
				h.check()
			}
			must(t, h.db.Close())
		})
	}
}

// moody appends, and fails at a bang while it is to.
type moody struct{ failing *atomic.Bool }

func (moody) Name() string { return "test.moody" }

func (m moody) Merge(older, newer []byte) []byte {
	if m.failing.Load() && (bytes.Contains(older, []byte("!")) || bytes.Contains(newer, []byte("!"))) {
		panic("moody")
	}
	return append(older, newer...)
}

// mixKey is a key with its bucket, "" for none.
type mixKey struct{ bucket, k string }

// mixValue is a value and its expiry in seconds, 0 for none.
type mixValue struct {
	v      string
	expiry int64
}

// mixStore is what a reader sees.
type mixStore map[mixKey]mixValue

// hide forgets what has expired: what was hidden once stays so.
func (s mixStore) hide(now int64) {
	maps.DeleteFunc(s, func(_ mixKey, v mixValue) bool { return v.expiry != 0 && v.expiry <= now })
}

// mixOp is a write: of kind p(ut), m(erge), d(elete), or r(ange deletion) of all keys of the bucket from k on.
type mixOp struct {
	kind byte
	mixKey
	mixValue
}

// apply makes a write take effect at a time. It reports whether it called upon the operator for a value that expires, with a bang.
func (s mixStore) apply(op mixOp, now int64) (mayFail bool) {
	switch op.kind {
	case 'p':
		s[op.mixKey] = op.mixValue
	case 'm':
		old := s[op.mixKey]
		s[op.mixKey] = mixValue{old.v + op.v, old.expiry}
		mayFail = old.expiry != 0 && strings.Contains(old.v+op.v, "!")
	case 'd':
		delete(s, op.mixKey)
	case 'r':
		maps.DeleteFunc(s, func(k mixKey, _ mixValue) bool { return k.bucket == op.bucket && k.k >= op.k })
	}
	s.hide(now)
	return mayFail
}

type mixHistory struct {
	*testing.T
	enginetest.Random
	db      *tinykv.DB
	options *tinykv.Options
	seconds atomic.Int64
	failing atomic.Bool // the operator is

	store   mixStore
	buckets map[string]bool
	made    int  // buckets with a name of their own
	expires bool // some value was to expire; before, transactions do not look at the clock
}

// mixWriter is a DB, a bucket, a transaction or a batch.
type mixWriter interface {
	Put(k, v []byte, opts ...tinykv.WriteOption) error
	Merge(k, v []byte, opts ...tinykv.WriteOption) error
	Delete(k []byte, opts ...tinykv.WriteOption) error
	DeleteRange(lower, upper []byte, opts ...tinykv.WriteOption) error
}

func (h *mixHistory) now() int64 { return h.seconds.Load() }

// jump sets the clock. A reader has seen the time before and after.
func (h *mixHistory) jump() {
	look := func() {
		s, err := h.db.NewSnapshot()
		must(h, err)
		must(h, s.Close())
		h.store.hide(h.now())
	}
	look()
	h.seconds.Store(1_000_000 + 10*int64(h.IntN(40)))
	look()
}

// between does what may come between two steps of a transaction, too.
func (h *mixHistory) between() {
	switch h.IntN(12) {
	case 0, 1, 2, 3:
		h.jump()
	case 4:
		h.failing.Store(!h.failing.Load())
	case 5:
		must(h, h.db.Flush(h.Context()))
	case 6:
		must(h, h.db.Compact(h.Context(), tinykv.All()))
	}
}

func (h *mixHistory) key() mixKey {
	return mixKey{[]string{"", "", "a", "b"}[h.IntN(4)], fmt.Sprintf("k%d", h.IntN(6))}
}

func (h *mixHistory) op(to mixKey) mixOp {
	op := mixOp{kind: "pppmmmmdr"[h.IntN(9)], mixKey: to}
	if op.kind == 'p' || op.kind == 'm' {
		op.v = fmt.Sprintf("<%d%s>", h.IntN(1000), strings.Repeat("!", h.IntN(5)/4))
	}
	if op.kind == 'p' && h.OneIn(2) {
		op.expiry = h.now() + 10*int64(h.IntN(12)-3) // also one that has passed
	}
	return op
}

func (op mixOp) do(to mixWriter) error {
	switch op.kind {
	case 'p':
		if op.expiry != 0 {
			return to.Put([]byte(op.k), []byte(op.v), tinykv.ExpireAt(time.Unix(op.expiry, 0)))
		}
		return to.Put([]byte(op.k), []byte(op.v))
	case 'm':
		return to.Merge([]byte(op.k), []byte(op.v))
	case 'd':
		return to.Delete([]byte(op.k))
	default:
		return to.DeleteRange([]byte(op.k), nil)
	}
}

// committed has writes take effect in the model, if the store took them, or did not for a reason that it may have.
func (h *mixHistory) committed(err error, ops ...mixOp) {
	h.Helper()
	after, mayFail := maps.Clone(h.store), false
	after.hide(h.now())
	for _, op := range ops {
		mayFail = after.apply(op, h.now()) || mayFail
		if len(ops) > 1 && op.kind == 'm' && strings.Contains(after[op.mixKey].v, "!") {
			mayFail = true // operands in tables, upon what has expired, are put together by the commit
		}
	}
	if err != nil {
		if !mayFail || !h.failing.Load() || !strings.Contains(err.Error(), "panicked") {
			h.Fatal(err)
		}
		return
	}
	h.store = after
	for _, op := range ops {
		h.buckets[op.bucket] = op.bucket != ""
	}
}

// other writes beside the transaction, and returns what; ok tells whether the store took it.
func (h *mixHistory) other() (op mixOp, ok bool) {
	op = h.op(h.key())
	if op.kind == 'd' || op.kind == 'r' {
		op.bucket = ""
	}
	var to mixWriter = h.db
	if op.bucket != "" {
		to = h.db.Bucket(op.bucket)
	}
	h.expires = h.expires || op.expiry != 0
	err := op.do(to)
	h.committed(err, op)
	return op, err == nil
}

func (h *mixHistory) transaction() {
	h.store.hide(h.now())
	x := &mixTx{mixHistory: h, tx: begin(h.T, h.db, true), seen: maps.Clone(h.store), now: h.now(), looks: h.expires, decided: map[mixKey]bool{}, read: map[mixKey]bool{}}
	newBucket, padding := h.OneIn(4), []int{0, 0, 3000, 30_000}[h.IntN(4)]
	for range 1 + h.IntN(25) {
		to := h.key()
		if newBucket && h.OneIn(4) {
			to.bucket = fmt.Sprint("new", h.made)
		}
		x.write(h.op(to))
		if padding > 0 && h.OneIn(2) {
			x.write(mixOp{kind: 'p', mixKey: mixKey{"", fmt.Sprint("f", h.IntN(10))}, mixValue: mixValue{v: strings.Repeat("f", padding)}})
		}
		if h.OneIn(4) {
			h.between()
		}
		if h.OneIn(4) {
			if op, ok := h.other(); ok {
				x.others = append(x.others, op)
			}
		}
		if h.OneIn(3) {
			x.look(h.key())
		}
	}
	h.made++
	if h.OneIn(6) {
		must(h, x.tx.Rollback())
		return
	}
	err := x.tx.Commit()
	if surely, maybe := x.conflicts(); surely || maybe && errors.Is(err, tinykv.ErrConflict) {
		wantError(h, err, tinykv.ErrConflict)
		return
	}
	h.committed(err, x.ops...)
}

// mixTx is a transaction beside its model.
type mixTx struct {
	*mixHistory
	tx      *tinykv.Tx
	seen    mixStore
	now     int64 // by which it hides what expires
	looks   bool  // at the clock, since it began; else that is the time when it first writes a value that expires
	ops     []mixOp
	others  []mixOp // since it began
	decided map[mixKey]bool
	read    map[mixKey]bool // what it read; false where that was decided by what it had written, which may be an operand that is kept apart
}

func (x *mixTx) write(op mixOp) {
	if op.expiry != 0 && (!x.looks || x.mixHistory.now() < x.now) {
		x.seen.hide(x.now)
		x.now, x.looks, x.expires = x.mixHistory.now(), true, true
	}
	var to mixWriter = x.tx
	if op.bucket != "" {
		to = x.tx.Bucket(op.bucket)
	}
	must(x, op.do(to))
	x.seen.apply(op, x.now)
	x.ops = append(x.ops, op)
	if op.kind != 'm' {
		x.decided[op.mixKey] = true
	}
}

// decides tells whether what the transaction wrote says alone what a key has.
func (x *mixTx) decides(k mixKey) bool {
	return x.decided[k] || slices.ContainsFunc(x.ops, func(op mixOp) bool { return op.kind == 'r' && op.bucket == k.bucket && op.k <= k.k })
}

func (x *mixTx) look(k mixKey) {
	get := x.tx.Get
	if k.bucket != "" {
		get = x.tx.Bucket(k.bucket).Get
	}
	x.same(k, get, x.seen)
	x.read[k] = x.read[k] || !x.decides(k)
}

// conflicts tells whether others have written what the transaction read.
func (x *mixTx) conflicts() (surely, maybe bool) {
	for k, read := range x.read {
		if slices.ContainsFunc(x.others, func(op mixOp) bool {
			return op.mixKey == k || op.kind == 'r' && op.bucket == k.bucket && op.k <= k.k
		}) {
			surely, maybe = surely || read, true
		}
	}
	return surely, maybe
}

// same compares a key.
func (h *mixHistory) same(k mixKey, get func([]byte) ([]byte, error), in mixStore) {
	h.Helper()
	want, there := in[k]
	v, err := get([]byte(k.k))
	switch {
	case errors.Is(err, tinykv.ErrNotFound) && !there, err == nil && there && string(v) == want.v:
	case err != nil && h.failing.Load() && strings.Contains(want.v, "!") && strings.Contains(err.Error(), "panicked"):
	default:
		h.Fatalf("%v: %.60q, %v, want %.60q, %v, at %d", k, v, err, want.v, there, h.now())
	}
}

// check compares the store with the model.
func (h *mixHistory) check() {
	h.store.hide(h.now())
	for _, bucket := range []string{"", "a", "b", fmt.Sprint("new", h.made-1)} {
		get, scan := h.db.Get, h.db.Scan
		if bucket != "" {
			get, scan = h.db.Bucket(bucket).Get, h.db.Bucket(bucket).Scan
		}
		for i := range 6 {
			h.same(mixKey{bucket, fmt.Sprint("k", i)}, get, h.store)
		}
		if h.failing.Load() {
			continue
		}
		got := mixStore{}
		for item, err := range scan(tinykv.All()) {
			must(h, err)
			v := mixValue{v: string(item.Value)}
			if !item.ExpiresAt.IsZero() {
				v.expiry = item.ExpiresAt.Unix()
			}
			got[mixKey{bucket, string(item.Key)}] = v
		}
		want := maps.Clone(h.store)
		maps.DeleteFunc(want, func(k mixKey, _ mixValue) bool { return k.bucket != bucket })
		if !maps.Equal(got, want) {
			h.Fatalf("bucket %q: %.300v, want %.300v", bucket, got, want)
		}
	}
	names, err := h.db.Buckets()
	must(h, err)
	delete(h.buckets, "")
	if want := slices.SortedFunc(maps.Keys(h.buckets), cmp.Compare[string]); !slices.Equal(names, want) {
		h.Fatalf("buckets %q, want %q", names, want)
	}
}
