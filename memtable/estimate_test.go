package memtable

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tinykv/tinykv/internal/key"
)

func stored(user string) []byte { return key.AppendStored(nil, 0, []byte(user)) }

func TestEstimateSize_IsExactForFewEntries(t *testing.T) {
	table := newTable(t, MinSize)
	put(t, table, "b#1,SET:12345", "d#2,SET:1", "d#3,DEL:", "f#4,SET:")
	for _, c := range []struct {
		lower, upper string
		want         int64
	}{
		{"a", "z", 7 + 3 + 2 + 2},
		{"b", "d", 7},
		{"b", "d\x00", 12},
		{"c", "f", 5},
		{"b\x00", "d", 0},
		{"g", "z", 0},
		{"", "b", 0},
	} {
		if got := table.EstimateSize(stored(c.lower), stored(c.upper)); got != c.want {
			t.Errorf("%q to %q: %d bytes, want %d", c.lower, c.upper, got, c.want)
		}
	}
}

func TestEstimateSize_IsNearTheTruthForMany(t *testing.T) {
	const n = 50_000
	table := newTable(t, 16<<20)
	order := rand.New(rand.NewPCG(1, 1)).Perm(n)
	for seq, i := range order {
		insert(table, version{key.Internal{Stored: stored(fmt.Sprintf("%06d", i)), Trailer: key.MakeTrailer(key.SeqNum(seq+1), key.KindSet)}, make([]byte, 93)})
	}
	for _, r := range [][2]int{{0, n}, {0, n / 2}, {1000, 3000}, {n - 500, n}} {
		want := int64(r[1]-r[0]) * 100
		got := table.EstimateSize(stored(fmt.Sprintf("%06d", r[0])), stored(fmt.Sprintf("%06d", r[1])))
		if got < want*6/10 || got > want*16/10 { // the heights are drawn at random, from a fixed seed
			t.Errorf("%d to %d: %d bytes, want about %d", r[0], r[1], got, want)
		}
	}
}
