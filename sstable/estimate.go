package sstable

import "github.com/tinykv/tinykv/internal/key"

// EstimateSize returns about how many bytes of the file are due to stored keys from lower up to, but
// without, upper: the data blocks that may hold some of them, and the same share of the rest of the
// file. It reads the index alone.
func (r *Reader) EstimateSize(lower, upper []byte) int64 {
	last := r.index.count - 1
	from := r.index.seekGE(lower, key.MaxTrailer)
	if from > last {
		return 0
	}
	to := min(r.index.seekGE(upper, key.MaxTrailer), last)
	end := func(i int) int64 { h := r.index.block(i); return h.off + h.length }
	data := end(to) - r.index.block(from).off
	return int64(float64(data) / float64(end(last)) * float64(r.Size()))
}
