package memtable

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
)

// newTable returns an empty table that is given up with the test.
func newTable(t *testing.T, size int64) *Table {
	t.Helper()
	table, err := New(size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := table.Free(); err != nil {
			t.Error(err)
		}
	})
	return table
}

// version is an entry of a table.
type version struct {
	key   key.Internal
	value []byte
}

// read turns notation into an entry.
func read(t *testing.T, text string) version {
	t.Helper()
	k, value, err := key.ParseInternal(text)
	if err != nil {
		t.Fatal(err)
	}
	return version{k, value}
}

// put inserts entries in notation.
func put(t *testing.T, table *Table, entries ...string) {
	t.Helper()
	for _, text := range entries {
		insert(table, read(t, text))
	}
}

func insert(table *Table, v version) {
	table.Insert(v.key.Stored, xxhash.Sum64(v.key.Stored), v.key.Trailer, v.value)
}

// get looks a user key up at a sequence number and returns what it finds in notation.
func get(table *Table, user string, seq key.SeqNum) string {
	stored := key.AppendStored(nil, 0, []byte(user))
	value, found, ok := table.Get(stored, xxhash.Sum64(stored), key.SeekTrailer(seq))
	return describe(stored, value, found, ok)
}

func describe(stored, value []byte, found key.Trailer, ok bool) string {
	if !ok {
		return "none"
	}
	return key.Internal{Stored: stored, Trailer: found}.String() + ":" + string(value)
}

// all returns the entries of a table in notation, in the order of its iterator.
func all(table *Table) (entries []string) {
	it := table.NewIter()
	for kv := it.First(); kv != nil; kv = it.Next() {
		entries = append(entries, show(kv))
	}
	return entries
}

func show(kv *iterator.KV) string {
	if kv == nil {
		return "end"
	}
	return kv.Key().String() + ":" + string(kv.Value)
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("\ngot  %v\nwant %v", got, want)
	}
}

// twin is the naive counterpart of a table: a slice sorted by internal key.
type twin []version

func (w *twin) insert(v version) {
	at, _ := slices.BinarySearchFunc(*w, v.key, func(v version, k key.Internal) int { return key.Compare(v.key, k) })
	*w = slices.Insert(*w, at, v)
}

// from returns the place of the first entry at or behind k.
func (w twin) from(k key.Internal) int {
	at, _ := slices.BinarySearchFunc(w, k, func(v version, k key.Internal) int { return key.Compare(v.key, k) })
	return at
}

func (w twin) show(i int) string {
	if i < 0 || i >= len(w) {
		return "end"
	}
	return w[i].key.String() + ":" + string(w[i].value)
}

func (w twin) get(stored []byte, at key.Trailer) string {
	i := w.from(key.Internal{Stored: stored, Trailer: at})
	if i == len(w) || !bytes.Equal(w[i].key.Stored, stored) {
		return "none"
	}
	return w.show(i)
}

// shape makes user keys of one kind.
type shape struct {
	name string
	user func(rng *rand.Rand, i int) []byte
}

// letters returns a function that draws short keys from an alphabet.
func letters(alphabet string, maxLen int) func(*rand.Rand, int) []byte {
	return func(rng *rand.Rand, _ int) []byte {
		user := make([]byte, rng.IntN(maxLen+1))
		for i := range user {
			user[i] = alphabet[rng.IntN(len(alphabet))]
		}
		return user
	}
}

var shapes = []shape{
	{"few letters", letters("ab", 6)},
	{"zeros and padding", letters("\x00\x01", 9)},
	{"saturated heads", letters("\xff\xfe", 12)},
	{"nothing but 0xff", letters("\xff", 40)},
	{"random", letters("abcdefghijklmnopqrstuvwxyz", 30)},
	{"ascending", func(_ *rand.Rand, i int) []byte { return fmt.Appendf(nil, "key%08d", i) }},
	{"descending", func(_ *rand.Rand, i int) []byte { return fmt.Appendf(nil, "key%08d", 1<<20-i) }},
	{"ascending runs", func(rng *rand.Rand, i int) []byte { return fmt.Appendf(nil, "run%d-%08d", i/16*7919%13, i) }},
	{"long shared prefix", func(rng *rand.Rand, i int) []byte {
		return fmt.Appendf(bytes.Repeat([]byte("p"), 60), "%x", rng.IntN(200))
	}},
	{"one key", func(*rand.Rand, int) []byte { return []byte("fig") }},
}

// prefixes are what a table may have been told to expect.
func prefixes() [][]byte {
	return [][]byte{
		nil,
		{},
		{0},
		[]byte("\x00key"), []byte("\x00key0001"), []byte("\x00ab"), []byte("\x00\xff\xff"),
		append([]byte{0}, bytes.Repeat([]byte("p"), 60)...), []byte("\x00zzz"),
		{0xff},
	}
}

// fill inserts n random entries of a shape into a table and its twin.
func fill(rng *rand.Rand, table *Table, n int, s shape) (w twin) {
	for i := range n {
		kind, value := key.KindSet, fmt.Appendf(nil, "v%d", i)
		if rng.IntN(5) == 0 {
			kind, value = key.KindDelete, nil
		}
		v := version{
			key: key.Internal{
				Stored:  key.AppendStored(nil, key.Space(rng.IntN(8)/7), s.user(rng, i)),
				Trailer: key.MakeTrailer(key.SeqNum(i+1), kind),
			},
			value: value,
		}
		insert(table, v)
		w.insert(v)
	}
	return w
}
