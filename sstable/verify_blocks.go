package sstable

import (
	"bytes"
	"context"
	"sync/atomic"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
)

// blocks verifies all data blocks that the index knows of.
func (v *verifier) blocks(ctx context.Context) error {
	if v.stated == nil || v.stated.Compressed > 0 {
		v.r.packed = make([]atomic.Uint64, 1) // only whether it is nil matters here: a block may be compressed
	}
	v.s = stream{r: v.r, file: v.r.mapping, anywhere: true}
	v.c.Counted.SmallestSeq = key.MaxSeqNum
	for i := range v.r.index.count {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		h := v.r.index.block(i)
		v.gap(v.dataEnd, h.off)
		v.dataEnd = h.off + h.length
		b, err := v.s.block(i, passing)
		if err != nil {
			v.damage(err, 0)
		} else {
			v.block(i, h, &b)
		}
		v.progress(h.length)
	}
	return nil
}

// block verifies the entries of data block i, whose structure is intact.
func (v *verifier) block(i int, h handle, b *block) {
	p := &v.c.Counted
	p.DataBlocks++
	stored, err := v.s.bytes(h)
	packed := err == nil && v.r.packed != nil && isPacked(stored)
	info := BlockInfo{Offset: h.off, Length: h.length, Entries: b.count, Separator: v.r.index.separator(i)}
	if packed {
		p.Compressed++
		info.Compression = Compression(stored[blockCompression])
	}
	if v.opts.Block != nil {
		v.opts.Block(info)
	}
	at := func(format string, args ...any) {
		v.tell(corrupt.Errorf("data block", format, args...).At(h.off), 0)
	}
	var kv iterator.KV
	sound := true // one report for each block is enough
	for n := range b.count {
		b.entry(n, &kv)
		if what := v.entry(i, n, b, &kv); what != "" && sound {
			sound = false
			at("entry %d, %v, %s", n, key.Internal{Stored: kv.Stored, Trailer: kv.Trailer}, what)
		}
		v.count(&kv)
		if v.opts.Entry != nil {
			v.opts.Entry(&kv)
		}
	}
}

// entry tells what is wrong with an entry, or returns "".
func (v *verifier) entry(i, n int, b *block, kv *iterator.KV) string {
	k, x, hash := key.Internal{Stored: kv.Stored, Trailer: kv.Trailer}, &v.r.index, Hash(kv.Stored)
	switch last := (key.Internal{Stored: v.last, Trailer: v.trailer}); {
	case v.c.Counted.Entries > 0 && key.Compare(last, k) >= 0:
		return "does not sort behind the one before, " + last.String()
	case key.Compare(k, x.separator(i)) > 0:
		return "sorts behind the separator of its block, " + x.separator(i).String()
	case i > 0 && key.Compare(k, x.separator(i-1)) <= 0:
		return "does not sort behind the separator of the block before, " + x.separator(i-1).String()
	case !bytes.HasPrefix(k.Stored, x.prefix):
		return "does not begin as all keys of the index do"
	case !validStored(k.Stored):
		return "is no stored key"
	case b.data[blockFingerprints+n] != fingerprint(hash):
		return "has another fingerprint than its key"
	case v.filter && !v.r.filter.mayContain(hash):
		return "does not pass the table's filter"
	default:
		return ""
	}
}

func validStored(stored []byte) bool {
	_, _, ok := key.SplitStored(stored)
	return ok
}

// count adds an entry to the properties.
func (v *verifier) count(kv *iterator.KV) {
	p, seq := &v.c.Counted, kv.Trailer.Seq()
	if p.Entries == 0 {
		p.Smallest = key.Internal{Stored: kv.Stored, Trailer: kv.Trailer}.Clone()
	} else if bytes.Equal(v.last, kv.Stored) {
		p.Shadowed++
	}
	p.Entries++
	p.countKind(kv.Trailer.Kind(), kv.Value)
	p.KeyBytes += uint64(len(kv.Stored))
	p.ValueBytes += uint64(len(kv.Value))
	p.SmallestSeq, p.LargestSeq = min(p.SmallestSeq, seq), max(p.LargestSeq, seq)
	v.last, v.trailer = append(v.last[:0], kv.Stored...), kv.Trailer
}

// compare verifies what the table states of itself, if all of it could be counted.
func (v *verifier) compare() {
	p := &v.c.Counted
	p.Largest = key.Internal{Stored: bytes.Clone(v.last), Trailer: v.trailer}
	p.RangeDeletes = uint64(len(v.c.Ranges))
	for i := range v.c.Ranges {
		seqs := v.c.Ranges[i].Seqs
		p.SmallestSeq, p.LargestSeq = min(p.SmallestSeq, seqs[len(seqs)-1]), max(p.LargestSeq, seqs[0])
	}
	if v.stated == nil || !v.c.Whole {
		return
	}
	p.BitsPerKey = v.stated.BitsPerKey
	wrong := func(format string, args ...any) {
		v.tell(corrupt.Errorf("properties", format, args...).At(v.propsOff), 0)
	}
	for _, f := range v.stated.fields(p) {
		if f.stated != f.counted {
			wrong("state %d %s, but there are %d", f.stated, f.name, f.counted)
		}
	}
	if s := v.stated; s.SmallestSeq != p.SmallestSeq || s.LargestSeq != p.LargestSeq {
		wrong("state sequence numbers %d to %d, but there are %d to %d", s.SmallestSeq, s.LargestSeq, p.SmallestSeq, p.LargestSeq)
	}
	if s := v.stated; s.LeastExpiry != p.LeastExpiry || s.GreatestExpiry != p.GreatestExpiry {
		wrong("state expiries from %d to %d, but they are from %d to %d", s.LeastExpiry, s.GreatestExpiry, p.LeastExpiry, p.GreatestExpiry)
	}
	if s := v.stated; p.Entries > 0 && (key.Compare(s.Smallest, p.Smallest) != 0 || key.Compare(s.Largest, p.Largest) != 0) {
		wrong("state keys %v to %v, but there are %v to %v", s.Smallest, s.Largest, p.Smallest, p.Largest)
	}
	if p.BitsPerKey > 0 && p.Entries > 0 && len(v.r.filter) == 0 {
		wrong("state a filter of %d bits a key, but there is none", p.BitsPerKey)
	}
}

// statedField is a number that a table states.
type statedField struct {
	name            string
	stated, counted uint64
}

// fields sets what a table states beside what was counted.
func (p *Properties) fields(c *Properties) []statedField {
	return []statedField{
		{"entries", p.Entries, c.Entries},
		{"tombstones", p.Deletes, c.Deletes},
		{"shadowed entries", p.Shadowed, c.Shadowed},
		{"bytes of keys", p.KeyBytes, c.KeyBytes},
		{"bytes of values", p.ValueBytes, c.ValueBytes},
		{"data blocks", p.DataBlocks, c.DataBlocks},
		{"compressed data blocks", p.Compressed, c.Compressed},
		{"spans of range deletions", p.RangeDeletes, c.RangeDeletes},
		{"values that expire", p.Expiring, c.Expiring},
	}
}
