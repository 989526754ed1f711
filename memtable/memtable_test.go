package memtable

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/key"
)

func TestTable_KeepsEntriesInOrderOfInternalKeys(t *testing.T) {
	table := newTable(t, MinSize)
	put(t, table, "kiwi#1,SET:a", "fig#2,SET:b", "kiwi#3,DEL", "#4,SET:c", "fig#5,SET:d")
	same(t, all(table), []string{"#4,SET:c", "fig#5,SET:d", "fig#2,SET:b", "kiwi#3,DEL:", "kiwi#1,SET:a"})
}

func TestTable_EmptyHasNothing(t *testing.T) {
	table := newTable(t, MinSize)
	it := table.NewIter()
	for _, kv := range []any{it.First(), it.Last(), it.Next(), it.Prev(), it.SeekGE(nil, key.MaxTrailer), it.SeekLT([]byte{0xff}, 0)} {
		same(t, fmt.Sprint(kv), "<nil>")
	}
	same(t, get(table, "", key.MaxSeqNum), "none")
	if table.Entries() != 0 || table.Totals() != (Totals{}) || table.LearnPrefix([]byte("\x00a")) != nil {
		t.Errorf("%d entries, %+v, prefix %q", table.Entries(), table.Totals(), table.LearnPrefix(nil))
	}
}

func TestTable_EmptyKeysAndValuesAreEntries(t *testing.T) {
	table := newTable(t, MinSize)
	put(t, table, "#1,SET:", "#2,DEL", "#3,SET:x", "a#4,SET:")
	same(t, all(table), []string{"#3,SET:x", "#2,DEL:", "#1,SET:", "a#4,SET:"})
	same(t, get(table, "", 1), "#1,SET:")
	same(t, get(table, "", 2), "#2,DEL:")
	if value, _, ok := table.Get([]byte("\x00a"), xxhash.Sum64String("\x00a"), key.MaxTrailer); !ok || value == nil {
		t.Errorf("an empty value is %v, %v", value, ok)
	}
}

func TestTable_KeysAndValuesAreCopied(t *testing.T) {
	table := newTable(t, MinSize)
	v := read(t, "fig#1,SET:ripe")
	insert(table, v)
	v.key.Stored[1], v.value[0] = 'X', 'X'
	same(t, all(table), []string{"fig#1,SET:ripe"})
}

func TestTable_LendsSlicesThatCannotGrowIntoTheTable(t *testing.T) {
	table := newTable(t, MinSize)
	put(t, table, "a#1,SET:x", "b#2,SET:y")
	it := table.NewIter()
	for kv := it.First(); kv != nil; kv = it.Next() {
		_ = append(kv.Stored, "overrun....."...)
		_ = append(kv.Value, "overrun....."...)
	}
	same(t, all(table), []string{"a#1,SET:x", "b#2,SET:y"})
}

func TestTable_LongestKeysAndLargeValues(t *testing.T) {
	table := newTable(t, 4<<20)
	longest := bytes.Repeat([]byte{0xff}, key.MaxUserLen)
	var w twin
	for i, user := range [][]byte{longest, longest[1:], append(bytes.Clone(longest[1:]), 0xfe), longest[:1]} {
		v := version{
			key.Internal{Stored: key.AppendStored(nil, key.MaxSpace, user), Trailer: key.MakeTrailer(key.SeqNum(i+1), key.KindSet)},
			bytes.Repeat([]byte{byte(i)}, 700_000),
		}
		insert(table, v)
		w.insert(v)
	}
	checkScans(t, table, w)
	checkGets(t, table, w)
}

func TestTable_SequenceNumbersOf56BitsOrder(t *testing.T) {
	table := newTable(t, MinSize)
	put(t, table, "a#1,SET:old", "a#72057594037927934,SET:new")
	same(t, get(table, "a", key.MaxSeqNum), "a#72057594037927934,SET:new")
	same(t, get(table, "a", 1<<55), "a#1,SET:old")
}

func TestTable_EqualsASortedSliceWhateverTheKeysAndThePrefix(t *testing.T) {
	for i, s := range shapes {
		for j, prefix := range prefixes() {
			seed := uint64(i)<<32 | uint64(j)
			rng := rand.New(rand.NewPCG(seed, 0))
			table := newTable(t, 1<<20)
			table.Reset(prefix)
			w := fill(rng, table, 400, s)
			if !t.Run(fmt.Sprintf("%s/prefix %q", s.name, prefix), func(t *testing.T) {
				checkScans(t, table, w)
				checkGets(t, table, w)
				checkMoves(t, rng, table, w)
			}) {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

// checkScans compares a table with its twin from end to end, both ways.
func checkScans(t *testing.T, table *Table, w twin) {
	t.Helper()
	it, i := table.NewIter(), 0
	for kv := it.First(); kv != nil; kv = it.Next() {
		if show(kv) != w.show(i) {
			t.Fatalf("forward, entry %d: %s, want %s", i, show(kv), w.show(i))
		}
		i++
	}
	if i != len(w) || table.Entries() != uint64(len(w)) {
		t.Fatalf("%d entries seen, %d counted, want %d", i, table.Entries(), len(w))
	}
	for kv := it.Last(); kv != nil; kv = it.Prev() {
		i--
		if show(kv) != w.show(i) {
			t.Fatalf("backward, entry %d: %s, want %s", i, show(kv), w.show(i))
		}
	}
	if i != 0 {
		t.Fatalf("backward ends before entry %d", i)
	}
}

// checkGets looks up every key of the twin, and a neighbour of each, at several sequence numbers.
func checkGets(t *testing.T, table *Table, w twin) {
	t.Helper()
	for _, v := range w {
		for _, stored := range [][]byte{v.key.Stored, append(bytes.Clone(v.key.Stored), 0)} {
			for _, at := range []key.Trailer{key.MaxTrailer, key.SeekTrailer(v.key.Trailer.Seq()), key.SeekTrailer(v.key.Trailer.Seq() - 1)} {
				value, found, ok := table.Get(stored, xxhash.Sum64(stored), at)
				if got, want := describe(stored, value, found, ok), w.get(stored, at); got != want {
					t.Fatalf("%s at %d: %s, want %s", key.FormatStored(stored), at.Seq(), got, want)
				}
			}
		}
	}
}

// checkMoves makes random moves on an iterator and on its twin.
func checkMoves(t *testing.T, rng *rand.Rand, table *Table, w twin) {
	t.Helper()
	it, at := table.NewIter(), -1
	for i := range 500 {
		target := w[rng.IntN(len(w))].key
		target.Trailer += key.Trailer(rng.IntN(3)) - 1
		move, got := "", ""
		switch pick := rng.IntN(12); {
		case pick == 0:
			move, got, at = "First", show(it.First()), 0
		case pick == 1:
			move, got, at = "Last", show(it.Last()), len(w)-1
		case pick == 2:
			move, got, at = "SeekGE", show(it.SeekGE(target.Stored, target.Trailer)), w.from(target)
		case pick == 3:
			move, got, at = "SeekLT", show(it.SeekLT(target.Stored, target.Trailer)), w.from(target)-1
		case pick%2 == 0 && at < len(w) || at < 0:
			move, got, at = "Next", show(it.Next()), at+1
		default:
			move, got, at = "Prev", show(it.Prev()), at-1
		}
		if want := w.show(at); got != want {
			t.Fatalf("move %d, %s (%v): %s, want %s", i, move, target, got, want)
		}
	}
}

func TestGet_FindsAmongMoreVersionsThanAChainIsWalked(t *testing.T) {
	table := newTable(t, 1<<20)
	for seq := range 5 * maxChainSteps {
		put(t, table, fmt.Sprintf("fig#%d,SET:%d", seq+1, seq+1))
	}
	for seq := range 5 * maxChainSteps {
		same(t, get(table, "fig", key.SeqNum(seq+1)), fmt.Sprintf("fig#%d,SET:%d", seq+1, seq+1))
	}
	same(t, get(table, "fig", 0), "none")
}

func TestGet_FindsAmongKeysOfOneHash(t *testing.T) {
	table := newTable(t, 1<<20)
	const hash = 42
	var w twin
	for seq := range 3 * maxChainSteps {
		v := read(t, fmt.Sprintf("k%02d#%d,SET:%d", seq*7%50, seq+1, seq))
		table.Insert(v.key.Stored, hash, v.key.Trailer, v.value)
		w.insert(v)
	}
	for i := range 60 { // ten of them absent
		stored := fmt.Appendf([]byte{0}, "k%02d", i)
		for seq := range key.SeqNum(3*maxChainSteps + 1) {
			value, found, ok := table.Get(stored, hash, key.SeekTrailer(seq))
			if got, want := describe(stored, value, found, ok), w.get(stored, key.SeekTrailer(seq)); got != want {
				t.Fatalf("k%02d at %d: %s, want %s", i, seq, got, want)
			}
		}
	}
}

func TestGet_AbsentKeyBehindALongChainIsAbsent(t *testing.T) {
	table := newTable(t, 1<<20)
	for seq := range 2 * maxChainSteps {
		v := read(t, fmt.Sprintf("k%d#%d,SET:x", seq, seq+1))
		table.Insert(v.key.Stored, 7, v.key.Trailer, v.value)
	}
	for _, stored := range []string{"\x00", "\x00k", "\x00z"} {
		if _, _, ok := table.Get([]byte(stored), 7, key.MaxTrailer); ok {
			t.Errorf("%q was found", stored)
		}
	}
}

func TestTotals_CountEntriesTombstonesAndBytes(t *testing.T) {
	table := newTable(t, MinSize)
	put(t, table, "fig#1,SET:ripe", "fig#2,DEL", "#3,SET:")
	same(t, table.Totals(), Totals{Entries: 3, Deletes: 1, DataBytes: 4 + 4 + 4 + 1})
}

func TestUsed_GrowsFromInsertToInsert(t *testing.T) {
	table := newTable(t, MinSize)
	if got, want := table.Used(), int64(MinSize)-table.Capacity(); got != want {
		t.Errorf("an empty table uses %d bytes, want %d", got, want)
	}
	for seq := 1; seq < 20; seq++ {
		before := table.Used()
		put(t, table, fmt.Sprintf("fig#%d,SET:ripe", seq))
		if grown := table.Used() - before; grown < 8 || grown > Need(1, 8) {
			t.Errorf("an entry of 8 bytes takes %d bytes", grown)
		}
	}
}

func TestReset_LeavesNothingOfTheTimeBefore(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	table := newTable(t, 1<<20)
	empty := table.Used()
	for i, s := range shapes {
		table.Reset(prefixes()[i])
		if table.Used() != empty || table.Entries() != 0 || table.Totals() != (Totals{}) || len(all(table)) != 0 {
			t.Fatalf("%s: %d bytes used, %d entries", s.name, table.Used(), table.Entries())
		}
		same(t, get(table, "fig", key.MaxSeqNum), "none")
		w := fill(rng, table, 500, s)
		checkScans(t, table, w)
		checkGets(t, table, w)
	}
}

func TestReset_CopiesThePrefix(t *testing.T) {
	table := newTable(t, MinSize)
	prefix := []byte("\x00key")
	table.Reset(prefix)
	put(t, table, "key5#1,SET:a")
	copy(prefix, "\x00zzz")
	put(t, table, "key1#2,SET:b", "key9#3,SET:c", "a#4,SET:d", "z#5,SET:e")
	same(t, all(table), []string{"a#4,SET:d", "key1#2,SET:b", "key5#1,SET:a", "key9#3,SET:c", "z#5,SET:e"})
}

func TestLearnPrefix_IsWhatAllKeysAndTheNextShare(t *testing.T) {
	for _, c := range []struct{ entries, next, want string }{
		{"key1#1,SET:x", "key1", "\x00key1"},
		{"key10#1,SET:x key19#2,SET:x", "key1a", "\x00key1"},
		{"key10#1,SET:x key19#2,SET:x", "key20", "\x00key"},
		{"key10#1,SET:x key19#2,SET:x", "lime", "\x00"},
		{"key10#1,SET:x key19#2,SET:x", "", "\x00"},
		{"#1,SET:x key#2,SET:x", "key", "\x00"},
	} {
		table := newTable(t, MinSize)
		put(t, table, strings.Fields(c.entries)...)
		if got := table.LearnPrefix(key.AppendStored(nil, 0, []byte(c.next))); string(got) != c.want {
			t.Errorf("%s, next %q: %q, want %q", c.entries, c.next, got, c.want)
		}
	}
}

func TestLearnPrefix_OfDifferentKeyspacesIsEmptyAndUsable(t *testing.T) {
	table := newTable(t, MinSize)
	for i, space := range []key.Space{0, 5} {
		insert(table, version{key.Internal{Stored: key.AppendStored(nil, space, nil), Trailer: key.MakeTrailer(key.SeqNum(i+1), key.KindSet)}, nil})
	}
	prefix := table.LearnPrefix(nil)
	if prefix == nil || len(prefix) != 0 {
		t.Fatalf("learned %v, want an empty prefix that is not nil", prefix)
	}
	table.Reset(prefix)
	put(t, table, "b#1,SET:x", "a#2,SET:y")
	same(t, all(table), []string{"a#2,SET:y", "b#1,SET:x"})
}

func TestNeed_IsEnoughToFillATableToTheBrim(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 0))
		size := int64(MinSize + 8*rng.IntN(2000))
		table := newTable(t, size)
		var w twin
		for i := 0; ; i++ {
			v := version{
				key.Internal{Stored: letters("ab\xff", 1+rng.IntN(40))(rng, i), Trailer: key.MakeTrailer(key.SeqNum(i+1), key.KindSet)},
				bytes.Repeat([]byte{byte(i)}, rng.IntN(1+rng.IntN(600))),
			}
			v.key.Stored = append([]byte{0}, v.key.Stored...)
			need := Need(1, int64(len(v.key.Stored)+len(v.value)))
			if !table.Fits(need) {
				break
			}
			insert(table, v)
			w.insert(v)
		}
		if !t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			checkScans(t, table, w)
			checkGets(t, table, w)
		}) {
			return
		}
	}
}

func TestNeed_OfABatchIsEnoughForItsWorstHeights(t *testing.T) {
	// Smallest entries, reserved all at once: whatever heights the generator gives, they fit.
	table := newTable(t, 1<<20)
	n := 0
	for table.Fits(Need(n+1, int64(4*(n+1)))) {
		n++
	}
	var w twin
	for i := range n {
		v := version{key.Internal{Stored: fmt.Appendf([]byte{0}, "%03x", i%4096), Trailer: key.MakeTrailer(key.SeqNum(i+1), key.KindDelete)}, nil}
		insert(table, v)
		w.insert(v)
	}
	checkScans(t, table, w)
}

func TestFits_TakesExactlyWhatIsFree(t *testing.T) {
	table := newTable(t, MinSize)
	if c := table.Capacity(); !table.Fits(c) || table.Fits(c+1) {
		t.Errorf("an empty table with room for %d bytes: %v, for one more: %v", c, table.Fits(c), table.Fits(c+1))
	}
}

func TestNew_RefusesSizesOutsideItsBounds(t *testing.T) {
	for _, size := range []int64{-1, 0, MinSize - 1, MaxSize + 1, 1 << 40} {
		if table, err := New(size); err == nil {
			_ = table.Free()
			t.Errorf("%d bytes are taken for a size", size)
		}
	}
}

func TestNew_TakesSizesThatAreNoPowerOfTwo(t *testing.T) {
	for _, size := range []int64{MinSize, MinSize + 1, 3*MinSize + 5, 100_003} {
		table := newTable(t, size)
		put(t, table, "b#1,SET:x", "a#2,SET:y")
		same(t, all(table), []string{"a#2,SET:y", "b#1,SET:x"})
	}
}

func TestFree_IsIdempotent(t *testing.T) {
	table := newTable(t, MinSize)
	for range 2 {
		if err := table.Free(); err != nil {
			t.Error(err)
		}
	}
}
