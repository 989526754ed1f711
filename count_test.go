package tinykv_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tinykv/tinykv"
)

func fruit(i int) []byte { return fmt.Appendf(nil, "fruit/%06d", i) }

func TestCount_EndsWithItsContext(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	defer db.Close()
	must(t, db.Put([]byte("k"), nil))
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	_, err := db.Count(ctx, tinykv.All())
	wantError(t, err, cause)
}

func TestEstimateSize_IsThatOfTheTablesOnceAllIsCompacted(t *testing.T) {
	db := mustOpen(t, t.TempDir(), &tiny)
	defer db.Close()
	const n = 20_000
	for i := range n {
		must(t, db.Put(fruit(i), make([]byte, 100)))
	}
	must(t, db.Compact(context.Background(), tinykv.All()))
	var total int64
	for _, l := range db.Metrics().Levels {
		total += l.Bytes
	}
	size := func(lower, upper int) int64 {
		t.Helper()
		n, err := db.EstimateSize(tinykv.Between(fruit(lower), fruit(upper)))
		must(t, err)
		return int64(n)
	}
	whole, err := db.EstimateSize(tinykv.All())
	must(t, err)
	if int64(whole) != total {
		t.Errorf("all: %d bytes, want %d", whole, total)
	}
	const slack = 4 << 10 // partial tables at both ends, two blocks each
	for _, tenth := range []int{0, 3, 9} {
		if got := size(tenth*n/10, (tenth+1)*n/10); got < total/10-slack || got > total/10+slack {
			t.Errorf("tenth %d: %d bytes of %d", tenth, got, total)
		}
	}
	if got := size(n, 2*n); got != 0 {
		t.Errorf("behind the last key: %d bytes", got)
	}
}

func TestEstimateSize_CountsWhatIsInMemory(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	defer db.Close()
	must(t, db.Put([]byte("fig"), []byte("ripe")))
	must(t, db.Put([]byte("plum"), []byte("green")))
	for _, c := range []struct {
		r    tinykv.Range
		want uint64
	}{
		{tinykv.All(), 1 + 3 + 4 + 1 + 4 + 5},
		{tinykv.Prefix([]byte("f")), 1 + 3 + 4},
		{tinykv.Range{Upper: []byte{}}, 0},
	} {
		if got, err := db.EstimateSize(c.r); err != nil || got != c.want {
			t.Errorf("%q: %d bytes, %v, want %d", c.r, got, err, c.want)
		}
	}
	_, err := db.EstimateSize(tinykv.Between([]byte("b"), []byte("a")))
	wantError(t, err, tinykv.ErrInvalidRange)
}
