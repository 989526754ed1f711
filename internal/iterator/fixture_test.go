package iterator

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/key"
)

// entry is what a source holds. One that is bad cannot be arrived at.
type entry struct {
	key   key.Internal
	value string
	bad   bool
}

func (e entry) String() string {
	text := e.key.String() + ":" + e.value
	if e.bad {
		text += "(bad)"
	}
	return text
}

// parse reads entries in notation, separated by spaces; one followed by ! is bad.
func parse(t *testing.T, text string) (entries []entry) {
	t.Helper()
	for _, word := range strings.Fields(text) {
		word, bad := strings.CutSuffix(word, "!")
		k, value, err := key.ParseInternal(word)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry{k, string(value), bad})
	}
	return entries
}

var (
	errBad   = errors.New("bad entry")
	errOpen  = errors.New("cannot be opened")
	errClose = errors.New("cannot be closed")
)

// slice is the plainest Iterator there is. What it lends it destroys at its next move.
type slice struct {
	entries  []entry
	at       int // -1 before the first, len behind the last
	kv       KV
	err      error
	closed   int
	closeErr error
}

var _ Iterator = (*slice)(nil)

func newSlice(entries []entry) *slice { return &slice{entries: entries, at: -1} }

func (s *slice) move(to int) *KV {
	for i := range s.kv.Stored {
		s.kv.Stored[i] = 0xdb
	}
	for i := range s.kv.Value {
		s.kv.Value[i] = 0xdb
	}
	s.kv = KV{}
	s.at = to
	switch {
	case to < 0 || to >= len(s.entries):
		return nil
	case s.entries[to].bad:
		s.err = errBad
		return nil
	}
	e := s.entries[to].key.Clone()
	s.kv = KV{Stored: e.Stored, Trailer: e.Trailer, Value: []byte(s.entries[to].value)}
	return &s.kv
}

// firstFrom returns the place of the first entry at or behind k.
func firstFrom(entries []entry, k key.Internal) int {
	return slices.IndexFunc(append(slices.Clone(entries), entry{}), func(e entry) bool {
		return e.key.Stored == nil || key.Compare(e.key, k) >= 0
	})
}

func (s *slice) First() *KV { s.err = nil; return s.move(0) }
func (s *slice) Last() *KV  { s.err = nil; return s.move(len(s.entries) - 1) }

func (s *slice) SeekGE(stored []byte, trailer key.Trailer) *KV {
	s.err = nil
	return s.move(firstFrom(s.entries, key.Internal{Stored: stored, Trailer: trailer}))
}

func (s *slice) SeekLT(stored []byte, trailer key.Trailer) *KV {
	s.err = nil
	return s.move(firstFrom(s.entries, key.Internal{Stored: stored, Trailer: trailer}) - 1)
}

func (s *slice) Next() *KV {
	if s.err != nil {
		return nil
	}
	return s.move(min(s.at+1, len(s.entries)))
}

func (s *slice) Prev() *KV {
	if s.err != nil {
		return nil
	}
	return s.move(max(s.at-1, -1))
}

func (s *slice) Err() error { return s.err }

func (s *slice) Close() error {
	s.closed++
	return s.closeErr
}

// text describes where a move arrived.
func text(kv *KV, err error) string {
	switch {
	case kv != nil && err != nil:
		return fmt.Sprintf("%v with %v", kv.Key(), err)
	case kv != nil:
		return kv.Key().String() + ":" + string(kv.Value)
	case err != nil:
		return "error: " + err.Error()
	default:
		return "end"
	}
}

// run makes moves, separated by spaces, and returns where they arrived, separated by spaces:
//
//	first last next prev   ge:fig#12,SET   lt:fig#12,SET
func run(t *testing.T, it Iterator, moves string) string {
	t.Helper()
	var got []string
	for _, word := range strings.Fields(moves) {
		verb, target, _ := strings.Cut(word, ":")
		var kv *KV
		switch verb {
		case "first":
			kv = it.First()
		case "last":
			kv = it.Last()
		case "next":
			kv = it.Next()
		case "prev":
			kv = it.Prev()
		case "ge", "lt":
			k, _, err := key.ParseInternal(target)
			if err != nil {
				t.Fatal(err)
			}
			if verb == "ge" {
				kv = it.SeekGE(k.Stored, k.Trailer)
			} else {
				kv = it.SeekLT(k.Stored, k.Trailer)
			}
		default:
			t.Fatalf("unknown move %q", word)
		}
		got = append(got, text(kv, it.Err()))
	}
	return strings.Join(got, " ")
}

func same(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
}

// twin is the naive counterpart of an iterator under test: a cursor in one sorted list. Its
// landing says which entries must be readable for a move to succeed.
type twin struct {
	all    []entry
	at     int  // -1 before the first, len behind the last
	failed bool // since the last absolute move

	// fails tells whether a move that arrives at place to fails. It is told the way: 1 for a move
	// forward, -1 backward, and the key of a seek.
	fails func(to, way int, seek *key.Internal) bool
}

func (w *twin) arrive(to, way int, seek *key.Internal) string {
	w.at = min(max(to, -1), len(w.all))
	if w.fails(w.at, way, seek) {
		w.failed = true
		return "error"
	}
	if w.at < 0 || w.at == len(w.all) {
		return "end"
	}
	e := w.all[w.at]
	return e.key.String() + ":" + e.value
}

// step makes one random legal move on both and compares. It returns the name of the move.
func (w *twin) step(rng *rand.Rand, it Iterator, keys []key.Internal) (move, got, want string) {
	target := keys[rng.IntN(len(keys))]
	pick := rng.IntN(12)
	var kv *KV
	switch {
	case pick == 0:
		w.failed = false
		move, kv, want = "First", it.First(), w.arrive(0, 1, nil)
	case pick == 1:
		w.failed = false
		move, kv, want = "Last", it.Last(), w.arrive(len(w.all)-1, -1, nil)
	case pick == 2:
		w.failed = false
		move, kv, want = "SeekGE "+target.String(), it.SeekGE(target.Stored, target.Trailer), w.arrive(firstFrom(w.all, target), 1, &target)
	case pick == 3:
		w.failed = false
		move, kv, want = "SeekLT "+target.String(), it.SeekLT(target.Stored, target.Trailer), w.arrive(firstFrom(w.all, target)-1, -1, &target)
	case pick%2 == 0 && w.failed:
		move, kv, want = "Next", it.Next(), "error"
	case w.failed:
		move, kv, want = "Prev", it.Prev(), "error"
	case pick%2 == 0 && w.at < len(w.all) || w.at < 0: // behind the last entry only Prev is legal
		move, kv, want = "Next", it.Next(), w.arrive(w.at+1, 1, nil)
	default:
		move, kv, want = "Prev", it.Prev(), w.arrive(w.at-1, -1, nil)
	}
	got = text(kv, it.Err())
	if strings.HasPrefix(got, "error") {
		got = "error"
	}
	return move, got, want
}

// randomEntries returns n sorted entries with different internal keys of few letters.
func randomEntries(rng *rand.Rand, n int) []entry {
	seen := map[string]bool{}
	var all []entry
	for len(all) < n {
		user := make([]byte, rng.IntN(4))
		for i := range user {
			user[i] = "ab\x00\xff"[rng.IntN(4)]
		}
		e := entry{key: key.Internal{
			Stored:  key.AppendStored(nil, 0, user),
			Trailer: key.MakeTrailer(key.SeqNum(1+rng.IntN(6)), key.KindSet),
		}}
		if e.value = fmt.Sprint(len(all)); !seen[e.key.String()] {
			seen[e.key.String()] = true
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return key.Compare(a.key, b.key) })
	return all
}

// randomTargets returns keys to seek: those of the entries, and others around them.
func randomTargets(rng *rand.Rand, all []entry) []key.Internal {
	targets := []key.Internal{
		{Stored: []byte{0}, Trailer: key.MaxTrailer},
		{Stored: []byte{0, 0xff, 0xff, 0xff, 0xff}, Trailer: key.MinTrailer},
	}
	for _, e := range all {
		targets = append(targets, e.key,
			key.Internal{Stored: e.key.Stored, Trailer: key.SeekTrailer(key.SeqNum(rng.IntN(8)))},
			key.Internal{Stored: e.key.Stored, Trailer: key.MinTrailer})
	}
	return targets
}
