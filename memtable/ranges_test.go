package memtable

import (
	"fmt"
	"testing"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
)

// Tombstones that all overlap are kept apart before their merger takes more than makes a table full.
func TestInsertRanges_KeepsListsApartWhoseMergerWouldFillTheTable(t *testing.T) {
	table := newTable(t, 1<<20)
	n := 0
	for ; table.Fits(Need(1, 32)); n++ {
		lower, upper := fmt.Appendf(nil, "\x00a%06d", n), fmt.Appendf(nil, "\x00z%06d", n)
		table.InsertRanges([]rangedel.Span{{Lower: lower, Upper: upper, Seqs: []key.SeqNum{key.SeqNum(n + 1)}}})
		total, most := int64(0), table.maxRangeBytes()
		for _, l := range table.Ranges() {
			if got := int64(l.Bytes()); got > most {
				t.Fatalf("after %d tombstones a list takes %d bytes, more than the %d that make a table full", n, got, most)
			}
			total += int64(l.Bytes())
		}
		if total > 2*most {
			t.Fatalf("after %d tombstones lists take %d bytes, and the table is not full", n, total)
		}
	}
	if lists := len(table.Ranges()); lists < 2 {
		t.Errorf("%d lists of %d tombstones", lists, n)
	}
}
