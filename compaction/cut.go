package compaction

import (
	"bytes"

	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/manifest"
)

// cutter decides where one output table ends and the next begins, never between entries of one key.
// Tables end near the size that is wanted, and where a table of the level below them ends, so that
// they overlap few of these when they are compacted in turn:
//
//	from 1/2 of the size   if the table overlaps too much of the level below
//	from 3/4 of the size   where a table of the level below ends
//	from the size on       at once if no table of the level below is left
//	from 3/2 of the size   at once
//	up to 2 times the size if what is left would not fill half a table of its own
//
// So all but the only table of a small job have half to twice the size.
type cutter struct {
	grandparents []*manifest.Table
	size         int64   // wanted
	overlapped   int64   // bytes of grandparents passed by the current table
	left         int64   // bytes of entries that are still to come, about
	perByte      float64 // bytes of table for each of them
	last         []byte
}

func newCutter(job *Job) cutter {
	c := cutter{grandparents: job.Plan.Grandparents, size: job.Options.TableBytes}
	lower, all := dataBytes(job.Span.of(job.Plan.Lower)), dataBytes(job.Plan.Lower)
	c.left = dataBytes(job.Plan.Upper)
	if all > 0 {
		c.left = int64(float64(c.left) * float64(lower) / float64(all)) // the span's share
	}
	c.left += lower
	c.perByte = float64(job.Plan.InputBytes()) / float64(max(all+dataBytes(job.Plan.Upper), 1))
	return c
}

func dataBytes(tables []*manifest.Table) (total int64) {
	for _, t := range tables {
		total += int64(t.DataBytes)
	}
	return total
}

// consumed notes that an entry was read.
func (c *cutter) consumed(kv *iterator.KV) { c.left -= int64(len(kv.Stored) + len(kv.Value)) }

// before tells whether the table in the making, of a certain size, ends before a key.
func (c *cutter) before(stored []byte, size int64) bool {
	if size > 0 && bytes.Equal(stored, c.last) {
		return false
	}
	c.last = append(c.last[:0], stored...)
	boundary := false
	for len(c.grandparents) > 0 && c.grandparents[0].EndsBefore(stored) {
		if size > 0 {
			c.overlapped += c.grandparents[0].Size
		}
		c.grandparents = c.grandparents[1:]
		boundary = true
	}
	if size == 0 || !c.enough(size, boundary) {
		return false
	}
	c.overlapped = 0
	return true
}

func (c *cutter) enough(size int64, boundary bool) bool {
	switch {
	case 2*size < c.size:
		return false
	case c.overlapped > maxGrandparentTables*c.size:
		return true
	case c.endsSoon(size):
		return false
	case boundary:
		return 4*size >= 3*c.size
	case len(c.grandparents) == 0:
		return size >= c.size
	default:
		return 2*size >= 3*c.size
	}
}

// endsSoon tells whether a table of a certain size has room for all that is left, which is too little
// for a table of its own.
func (c *cutter) endsSoon(size int64) bool {
	left := int64(float64(c.left) * c.perByte)
	return left >= 0 && 2*left < c.size && size+left < 2*c.size
}
