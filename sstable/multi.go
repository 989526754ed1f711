package sstable

import "github.com/tinykv/tinykv/internal/key"

// Lookup is one of several keys that are looked up together, each in a table of its own or in the same.
type Lookup struct {
	Reader *Reader
	Stored []byte
	Hash   uint64 // of Stored, see [Hash]

	// The answer, as [Reader.Get] gives it.
	Value []byte
	Found key.Trailer
	OK    bool

	at int // number of the data block
	b  block
	i  int // entry that is likely to be the one; -1 for none
}

// GetAll is [Reader.Get] for several keys. Each step is done for all keys before the next one
// begins, so that the processor waits for their memory, and the system for their disk, together
// instead of one after the other. touched means nothing, but must be kept somewhere: what is never
// used is never loaded.
func GetAll(lookups []*Lookup, trailer key.Trailer) (touched byte, err error) {
	for _, l := range lookups {
		l.OK, l.Value = false, nil
		l.at = l.Reader.index.seekGE(l.Stored, storedTrailer(trailer, l.Reader.opts.SeqBase))
	}
	for _, l := range lookups {
		l.announce()
	}
	for _, l := range lookups {
		touched += l.touchHeader()
	}
	for _, l := range lookups {
		touched += l.touchOffset()
	}
	for _, l := range lookups {
		touched += l.touchEntry()
	}
	var last *Lookup
	for _, l := range lookups {
		if err := l.get(trailer, last); err != nil {
			return touched, err
		}
		last = l
	}
	return touched, nil
}

// announce has the system begin to read the data block, if it was not touched lately.
func (l *Lookup) announce() {
	r := l.Reader
	res := r.opts.Residency
	if res == nil || r.view == nil || l.at == r.index.count {
		return
	}
	h := r.index.block(l.at)
	for region := h.off / regionLen; region*regionLen < h.off+h.length; region++ {
		if _, cold := res.cold(r.touched[region].Load()); cold {
			r.mapping.Announce(region*regionLen, regionLen)
		}
	}
}

// ready tells whether the data block lies in the view and passed checkBlock. One that is stored
// compressed never does.
func (l *Lookup) ready() bool {
	r := l.Reader
	return l.at < r.index.count && r.isVerified(l.at)
}

// touchHeader brings the first cache line of the block to the processor: the fingerprints.
func (l *Lookup) touchHeader() byte {
	if !l.ready() {
		return 0
	}
	return l.Reader.view[l.Reader.index.block(l.at).off]
}

// touchOffset does so with the place that says where the likely entry lies.
func (l *Lookup) touchOffset() byte {
	l.i = -1
	if !l.ready() {
		return 0
	}
	h := l.Reader.index.block(l.at)
	data := l.Reader.view[h.off : h.off+h.length]
	l.b = makeBlock(data, l.Reader.opts.SeqBase)
	l.i = l.b.likely(l.Hash)
	if l.i < 0 {
		return 0
	}
	return data[l.b.offsets+2*l.i]
}

// touchEntry does so with the likely entry.
func (l *Lookup) touchEntry() byte {
	if l.i < 0 {
		return 0
	}
	return l.b.data[l.b.offset(l.i)]
}

// get looks the key up. The lookup before it may have got the same block: decompressing it once is
// enough.
func (l *Lookup) get(trailer key.Trailer, last *Lookup) (err error) {
	switch {
	case l.at == l.Reader.index.count:
		return nil
	case last != nil && last.Reader == l.Reader && last.at == l.at:
		l.b = last.b
	default:
		if l.b, err = l.Reader.block(l.at, sought); err != nil {
			return err
		}
	}
	l.Value, l.Found, l.OK = l.b.get(l.Stored, l.Hash, trailer)
	return nil
}
