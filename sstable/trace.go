package sstable

import "github.com/tinykv/tinykv/internal/key"

// Trace tells how [Reader.Get], after [Reader.MayContain], looks a key up.
type Trace struct {
	HasFilter bool
	Passed    bool // the filter, or there is none

	// The data block that may hold the key; Length is 0 when there is none. Verified tells whether it
	// had been verified before; Compressed, whether it is stored compressed; Cached, whether it was then
	// found in the cache.
	Offset, Length int64
	Verified       bool
	Compressed     bool
	Cached         bool

	// What was found there.
	OK    bool
	Value []byte
	Found key.Trailer

	Touched int64 // bytes of the file, about: of the filter, the index and the block
}

// Trace looks up a stored key, as [Reader.Get] does, and tells the way. On an error it tells how far
// it came.
func (r *Reader) Trace(stored []byte, hash uint64, trailer key.Trailer) (t Trace, err error) {
	t.HasFilter = len(r.filter) > 0
	t.Passed = r.MayContain(hash)
	if t.HasFilter {
		t.Touched += filterLineLen
	}
	if !t.Passed {
		return t, nil
	}
	t.Touched += sampleEvery * indexEntryLen // what lies between two samples, half of which is searched, and a separator
	i := r.index.seekGE(stored, storedTrailer(trailer, r.opts.SeqBase))
	if i == r.index.count {
		return t, nil
	}
	h := r.index.block(i)
	t.Offset, t.Length = h.off, h.length
	t.Verified = r.isVerified(i) || r.isPacked(i)
	b, err := r.traceBlock(i, &t)
	if err != nil {
		t.Touched += h.length
		return t, err
	}
	t.Value, t.Found, t.OK = b.get(stored, hash, trailer)
	t.Compressed = r.isPacked(i)
	switch {
	case t.Cached:
	case t.Verified && !t.Compressed:
		t.Touched += int64(blockFingerprints + b.count + len(t.Value))
	default:
		t.Touched += h.length
	}
	return t, nil
}

// traceBlock is block for a key that was sought. It notes whether the block was in the cache.
func (r *Reader) traceBlock(i int, t *Trace) (block, error) {
	if raw := r.cached(i, r.index.block(i)); raw != nil {
		t.Cached = true
		return makeBlock(raw, r.opts.SeqBase), nil
	}
	return r.block(i, sought)
}
