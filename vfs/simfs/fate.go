package simfs

import "math/rand/v2"

// fate says what is left of one unsynced operation: everything, or else these parts of it.
type fate struct {
	whole bool
	parts []dataOp
}

// blocks returns how many aligned blocks of the file the operation lies in.
func (d *dataOp) blocks(blockBytes int64) int {
	return int((d.off+d.n-1)/blockBytes-d.off/blockBytes) + 1
}

// cut returns the operation up to the end of its nth block.
func (d *dataOp) cut(blockBytes int64, n int) fate {
	if n == 0 {
		return fate{}
	}
	upper := (d.off/blockBytes + int64(n)) * blockBytes
	return fate{parts: []dataOp{d.slice(d.off, upper)}}
}

// lastBlock returns the part of the operation that lies in its last block.
func (d *dataOp) lastBlock(blockBytes int64) fate {
	return fate{parts: []dataOp{d.slice((d.off+d.n-1)/blockBytes*blockBytes, d.off+d.n)}}
}

// tear loses parts of the operation as [Torn512] describes, or as [Garbled] does.
func (d *dataOp) tear(blockBytes int64, rng *rand.Rand, garbled bool) fate {
	end := d.blocks(blockBytes)
	if coin(rng) {
		end = rng.IntN(end + 1)
	}
	if d.data == nil {
		return d.cut(blockBytes, end) // zeros, lost or not, are zeros
	}
	var torn fate
	first := d.off / blockBytes
	for i := range int64(end) {
		if coin(rng) {
			torn.parts = append(torn.parts, d.slice((first+i)*blockBytes, (first+i+1)*blockBytes))
		} else if garbled && i > 0 && coin(rng) {
			lost := d.slice((first+i)*blockBytes, (first+i+1)*blockBytes)
			torn.garble(&lost, lost.off, rng)
		}
	}
	if coin(rng) {
		upper := d.off + d.n
		if end > 0 && coin(rng) {
			upper = (first + int64(end)) * blockBytes
		}
		length := d.slice(d.off, upper)
		length.data = nil
		torn.parts = append(torn.parts, length)
	}
	return torn
}

// clip loses all parts behind the end of a file.
func (f *fate) clip(size int64) {
	var parts []dataOp
	for _, part := range f.parts {
		if part.off < size {
			parts = append(parts, part.slice(part.off, size))
		}
	}
	f.parts = parts
}

// garble puts anything where the operation was to write from an offset on.
func (f *fate) garble(d *dataOp, from int64, rng *rand.Rand) {
	if d.data == nil || from >= d.off+d.n {
		return
	}
	garbage := dataOp{index: d.index, off: from, n: d.off + d.n - from, data: make([]byte, d.off+d.n-from)}
	switch kind := rng.IntN(4); kind {
	case 0, 1: // zeros, ones
		for i := range garbage.data {
			garbage.data[i] = byte(-kind)
		}
	default:
		for i := range garbage.data {
			garbage.data[i] = byte(rng.Uint32())
		}
	}
	f.parts = append(f.parts, garbage)
}

// begun returns what is left of a copy that ended after n bytes. Where n is not below its length, that is either what
// a copy from the end had done, or some words of one that went in no order.
func (d *dataOp) begun(n int64, rng *rand.Rand) []dataOp {
	if n < d.n {
		return []dataOp{d.slice(d.off, d.off+n)}
	}
	if coin(rng) {
		return []dataOp{d.slice(d.off+rng.Int64N(d.n), d.off+d.n)}
	}
	const word = 8
	var parts []dataOp
	for off := d.off; off < d.off+d.n; off += word {
		if coin(rng) {
			parts = append(parts, d.slice(off, off+word))
		}
	}
	return parts
}

func coin(rng *rand.Rand) bool { return rng.Uint64()&1 == 0 }
