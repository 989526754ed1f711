package sstable

import (
	"fmt"
	"testing"
)

func TestEstimateSize_CountsTheBlocksOfTheRange(t *testing.T) {
	w := sorted(5000, func(i int) entry { return set(fmt.Sprintf("user%06d", i), i+1, fmt.Sprint("value", i)) })
	data := table(t, WriterOptions{BlockSize: 512, BitsPerKey: 10}, w)
	size := int64(len(data))
	r := modes[0].mustOpen(t, data, ReaderOptions{})
	stored := func(i int) []byte { return fmt.Appendf(nil, "\x00user%06d", i) }
	for _, c := range []struct {
		what         string
		lower, upper int
		want         int64
	}{
		{"everything", 0, 5000, size},
		{"the first half", 0, 2500, size / 2},
		{"the last tenth", 4500, 5000, size / 10},
		{"behind the end", 5000, 6000, 0},
		{"one key", 2500, 2501, size / int64(r.index.count)},
	} {
		slack := 2 * size / int64(r.index.count)
		if got := r.EstimateSize(stored(c.lower), stored(c.upper)); got < c.want-slack || got > c.want+slack {
			t.Errorf("%s: %d bytes, want about %d", c.what, got, c.want)
		}
	}
}
