package sstable

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/tinykv/tinykv/internal/key"
)

// getAll looks keys up together and says what was found for each.
func getAll(t *testing.T, r *Reader, stored [][]byte, at key.Trailer) (answers []string) {
	t.Helper()
	lookups := make([]*Lookup, len(stored))
	for i, k := range stored {
		lookups[i] = &Lookup{Reader: r, Stored: k, Hash: Hash(k)}
	}
	_, err := GetAll(lookups, at)
	must(t, err)
	for _, l := range lookups {
		answer := "none"
		if l.OK {
			answer = entry{key.Internal{Stored: l.Stored, Trailer: l.Found}, l.Value}.String()
		}
		answers = append(answers, answer)
	}
	return answers
}

func TestGetAll_AnswersAsGetDoes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, s := range shapes() {
		data := table(t, WriterOptions{BlockSize: s.block, BitsPerKey: s.bits}, s.entries)
		all := targets(s.entries)
		for _, m := range modes {
			r := m.mustOpen(t, data, ReaderOptions{Residency: NewResidency(1 << 30)})
			for range 20 { // blocks are verified in the first, and touched ahead from then on
				var keys [][]byte
				var want []string
				at := all[rng.IntN(len(all))].Trailer
				for range rng.IntN(20) {
					k := all[rng.IntN(len(all))].Stored
					keys = append(keys, k)
					want = append(want, get(r, k, at))
				}
				same(t, getAll(t, r, keys, at), want)
			}
		}
	}
}

func TestGetAll_AnnouncesColdRegionsBeforeItReadsAny(t *testing.T) {
	data, w := regions(t, 3)
	m := &memory{data: data}
	r, err := NewReader(m, ReaderOptions{ID: testID, Residency: NewResidency(1 << 40)})
	must(t, err)
	m.populated, m.fault = nil, errors.New("the disk is gone")
	lookups := []*Lookup{
		{Reader: r, Stored: w[0].key.Stored, Hash: Hash(w[0].key.Stored)},
		{Reader: r, Stored: w[len(w)/2].key.Stored, Hash: Hash(w[len(w)/2].key.Stored)},
	}
	_, err = GetAll(lookups, key.MaxTrailer)
	same(t, errors.Is(err, m.fault), true)
	same(t, m.populated, []int64{0})
	same(t, m.announced, []int64{0, regionLen})
}
