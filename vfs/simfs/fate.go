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

// tear loses parts of the operation as [Torn512] describes.
func (d *dataOp) tear(blockBytes int64, rng *rand.Rand) fate {
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
		}
	}
	if coin(rng) {
		torn.parts = append(torn.parts, dataOp{index: d.index, off: d.off, n: d.n})
	}
	return torn
}

func coin(rng *rand.Rand) bool { return rng.Uint64()&1 == 0 }
