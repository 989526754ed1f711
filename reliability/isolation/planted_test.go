package isolation

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// w and r are operations of hand-made histories.
func w(k string, e int) op       { return op{Key: k, Append: e} }
func r(k string, list ...int) op { return op{Key: k, List: list} }

// ok, no and maybe are transactions that began and ended when they say.
func ok(from, to int64, ops ...op) *txn {
	return &txn{Invoked: from, Done: to, Outcome: committed, Ops: ops}
}

func no(from, to int64, ops ...op) *txn {
	return &txn{Invoked: from, Done: to, Outcome: aborted, Ops: ops}
}

func maybe(from int64, ops ...op) *txn { return &txn{Invoked: from, Ops: ops} }

func TestCheck_FindsPlantedAnomaliesByName(t *testing.T) {
	for _, c := range []struct {
		name string
		txns []*txn
		want string // a part of the kind; empty: none
	}{
		{"serial", []*txn{ok(1, 2, w("x", 1)), ok(3, 4, r("x", 1), w("x", 2)), ok(5, 6, r("x", 1, 2))}, ""},
		{"concurrent", []*txn{ok(1, 9, r("x"), w("y", 1)), ok(1, 9, r("y", 1), w("x", 1)), ok(10, 11, r("x", 1), r("y", 1))}, ""},
		{"in doubt, seen", []*txn{maybe(1, w("x", 1)), ok(3, 4, r("x", 1))}, ""},
		{"in doubt, not seen", []*txn{maybe(1, w("x", 1)), ok(3, 4, r("x"))}, ""},
		{"in doubt, seen late", []*txn{maybe(1, w("x", 1)), ok(3, 4, r("x")), ok(5, 6, r("x", 1))}, ""},
		{"in doubt, gone again", []*txn{maybe(1, w("x", 1)), ok(3, 4, r("x", 1)), ok(5, 6, r("x"))}, realtime},
		{"write skew", []*txn{ok(1, 9, r("x"), w("y", 1)), ok(1, 9, r("y"), w("x", 1)), ok(10, 11, r("x", 1), r("y", 1))}, writeSkew},
		{"phantom", []*txn{ // each scans, finds nothing, and writes what the other would have found
			ok(1, 9, r("a"), r("b"), w("a", 1)), ok(1, 9, r("a"), r("b"), w("b", 2)), ok(10, 11, r("a", 1), r("b", 2)),
		}, writeSkew},
		{"lost update", []*txn{
			ok(1, 2, w("x", 1)), ok(3, 9, r("x", 1), w("x", 2)), ok(3, 9, r("x", 1), w("x", 3)), ok(10, 11, r("x", 1, 2, 3)),
		}, readSkew},
		{"lost update, lost", []*txn{ok(1, 9, r("x"), w("x", 2)), ok(1, 9, r("x"), w("x", 3)), ok(10, 11, r("x", 3))}, lostAppend},
		{"read skew", []*txn{
			ok(1, 9, w("x", 1), w("y", 1)), ok(1, 9, r("x"), r("y", 1)), ok(10, 11, r("x", 1), r("y", 1)),
		}, readSkew},
		{"stale read", []*txn{ok(1, 2, w("x", 1)), ok(3, 4, r("x")), ok(5, 6, r("x", 1))}, realtime},
		{"stale snapshot", []*txn{ok(1, 2, w("x", 1)), ok(3, 4, r("x"), w("y", 1)), ok(5, 6, r("x", 1), r("y", 1))}, realtime},
		{"aborted read", []*txn{no(1, 2, w("x", 1)), ok(3, 4, r("x", 1))}, abortedRead},
		{"intermediate read", []*txn{ok(1, 9, w("x", 1), w("x", 2)), ok(1, 9, r("x", 1)), ok(10, 11, r("x", 1, 2))}, intermediateRead},
		{"dirty write", []*txn{
			ok(1, 9, w("x", 1), w("y", 1)), ok(1, 9, w("x", 2), w("y", 2)), ok(10, 11, r("x", 1, 2), r("y", 2, 1)),
		}, dirtyWrite},
		{"circular flow", []*txn{ok(1, 9, w("x", 1), r("y", 2)), ok(1, 9, w("y", 2), r("x", 1)), ok(10, 11, r("x", 1), r("y", 2))}, circularFlow},
		{"lost append", []*txn{ok(1, 2, w("x", 1)), ok(3, 4, r("x"))}, lostAppend},
		{"duplicate", []*txn{ok(1, 2, w("x", 1)), ok(3, 4, r("x", 1, 1))}, duplicate},
		{"garbage", []*txn{ok(3, 4, r("x", 7))}, garbage},
		{"orders differ", []*txn{ok(1, 9, w("x", 1)), ok(1, 9, w("x", 2)), ok(1, 9, r("x", 1)), ok(10, 11, r("x", 2, 1))}, incompatible},
		{"own writes", []*txn{ok(1, 2, w("x", 1), r("x"))}, ownWrites},
		{"own writes, seen", []*txn{ok(1, 2, w("x", 1), r("x", 1), w("x", 2), r("x", 1, 2)), ok(3, 4, r("x", 1, 2))}, ""},
		{"reads differ", []*txn{ok(1, 9, w("x", 1)), ok(1, 9, r("x"), r("x", 1)), ok(10, 11, r("x", 1))}, unrepeatable},
	} {
		found := check(c.txns)
		if c.want == "" && len(found) > 0 || c.want != "" && !slices.ContainsFunc(found, func(a anomaly) bool { return strings.Contains(a.kind, c.want) }) {
			t.Errorf("%s: found %v, want %q", c.name, found, c.want)
		}
	}
}

// serial returns a history as a store makes it that does one transaction after the other, each at some moment while it is under way.
func serial(rng *rand.Rand, n int) (txns []*txn) {
	lists := map[string][]int{}
	for i := range n {
		t := ok(int64(10*i)-int64(rng.IntN(60)), int64(10*i)+1+int64(rng.IntN(60)))
		for range 1 + rng.IntN(5) {
			k := string(rune('a' + rng.IntN(6)))
			if rng.IntN(2) == 0 {
				t.Ops = append(t.Ops, w(k, len(t.Ops)+10*i+1))
				lists[k] = append(lists[k], len(t.Ops)+10*i)
			} else {
				t.Ops = append(t.Ops, r(k, slices.Clone(lists[k])...))
			}
		}
		txns = append(txns, t)
	}
	end := ok(int64(10*n)+100, int64(10*n)+101)
	for k, list := range lists {
		end.Ops = append(end.Ops, r(k, list...))
	}
	return append(txns, end)
}

func TestCheck_FindsNothingInASerialHistory(t *testing.T) {
	for seed := range uint64(30) {
		if found := check(serial(rand.New(rand.NewPCG(seed, 0)), 400)); len(found) > 0 {
			t.Fatalf("seed %d: %v", seed, found)
		}
	}
}

// One read in a long history that misses the newest four elements is found, but where all of these came while it was under way: then it
// may have taken effect before them, which happens a few times in fifty.
func TestCheck_FindsOneStaleReadInALongHistory(t *testing.T) {
	found := 0
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		txns := serial(rng, 300)
		for {
			t := txns[rng.IntN(len(txns)-1)]
			i := rng.IntN(len(t.Ops))
			if t.Ops[i].Append == 0 && len(t.Ops[i].List) > 5 && t.seesOwn() && len(t.Ops) == 1 {
				t.Ops[i].List = t.Ops[i].List[:len(t.Ops[i].List)-4]
				break
			}
		}
		if len(check(txns)) > 0 {
			found++
		}
	}
	if found < 45 {
		t.Errorf("%d of 50 were found", found)
	}
}
