package memtable

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/key"
)

// benchKeys returns n distinct stored keys of 16 user bytes.
func benchKeys(n int, shape string) [][]byte {
	keys := make([][]byte, n)
	rng := rand.New(rand.NewPCG(1, 2))
	order := rng.Perm(n)
	for i := range keys {
		var user [16]byte
		switch shape {
		case "random":
			binary.BigEndian.PutUint64(user[:], rng.Uint64())
		case "decimal": // 16 digits, as db_bench writes them
			copy(user[:], fmt.Sprintf("%016d", order[i]))
		case "ascending":
			binary.BigEndian.PutUint64(user[:], uint64(i))
		}
		keys[i] = key.AppendStored(nil, 0, user[:])
	}
	return keys
}

func BenchmarkInsert(b *testing.B) {
	value := make([]byte, 100)
	for _, shape := range []string{"random", "decimal", "ascending"} {
		for _, size := range []int64{16 << 20, 64 << 20} {
			b.Run(fmt.Sprintf("%s/%dMiB", shape, size>>20), func(b *testing.B) {
				keys := benchKeys(int(size/190), shape)
				t, err := New(size)
				if err != nil {
					b.Fatal(err)
				}
				defer t.Free()
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if i == len(keys) {
						b.StopTimer()
						t.Reset(t.LearnPrefix(keys[0]))
						b.StartTimer()
						i = 0
					}
					k := keys[i]
					t.Insert(k, xxhash.Sum64(k), key.MakeTrailer(key.SeqNum(i+1), key.KindSet), value)
					i++
				}
			})
		}
	}
}

func BenchmarkGet(b *testing.B) {
	value := make([]byte, 100)
	for _, size := range []int64{16 << 20, 64 << 20} {
		keys := benchKeys(int(size/190), "random")
		t, err := New(size)
		if err != nil {
			b.Fatal(err)
		}
		defer t.Free()
		for i, k := range keys {
			t.Insert(k, xxhash.Sum64(k), key.MakeTrailer(key.SeqNum(i+1), key.KindSet), value)
		}
		rng := rand.New(rand.NewPCG(3, 4))
		rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		b.Run(fmt.Sprintf("hit/%dMiB", size>>20), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				k := keys[i%len(keys)]
				if _, _, ok := t.Get(k, xxhash.Sum64(k), key.MaxTrailer); !ok {
					b.Fatal("missing")
				}
			}
		})
		b.Run(fmt.Sprintf("miss/%dMiB", size>>20), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				k := keys[i%len(keys)]
				if _, _, ok := t.Get(k[:16], xxhash.Sum64(k[:16]), key.MaxTrailer); ok {
					b.Fatal("found")
				}
			}
		})
		b.Run(fmt.Sprintf("seek/%dMiB", size>>20), func(b *testing.B) {
			it := t.NewIter()
			for i := 0; b.Loop(); i++ {
				if it.SeekGE(keys[i%len(keys)], key.MaxTrailer) == nil {
					b.Fatal("missing")
				}
			}
		})
		b.Run(fmt.Sprintf("next/%dMiB", size>>20), func(b *testing.B) {
			it := t.NewIter()
			for b.Loop() {
				if it.Next() == nil {
					it.First()
				}
			}
		})
	}
}
