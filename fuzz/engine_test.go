package fuzz

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// engineOptions are the ways to keep a store that the first byte of an input of FuzzEngine chooses
// from. Everything is as small as it may be. Only one has a cache, which takes long to make.
var engineOptions = []tinykv.Options{
	{BlockSize: 256, CacheSize: -1},
	{BlockSize: 256, CacheSize: -1, Compression: tinykv.CompressionS2},
	{BlockSize: 1 << 10, CacheSize: -1, Compression: tinykv.CompressionZstd},
	{BlockSize: 256, Compression: tinykv.CompressionNone, Mapping: tinykv.MapOff, BloomBitsPerKey: -1},
	{BlockSize: 64 << 10, CacheSize: -1, BloomBitsPerKey: 1, Durability: tinykv.DurabilitySync},
	{BlockSize: 512, CacheSize: 64 << 10, MaxBackground: 4, Compression: tinykv.CompressionS2, Mapping: tinykv.MapOff},
}

// maxEngineOps bounds an input that goes on and on.
const maxEngineOps = 1000

// script is a source of random numbers whose bytes are those of an input, one to a draw; so a change
// of one byte is a change of one choice. Behind the end it goes on with numbers of its own.
type script struct {
	rest  []byte
	drawn uint64
}

// Uint64 has the byte at both ends, where the methods of rand.Rand look for small numbers, and the
// number of the draw between, so that long ones differ and none is drawn for ever.
func (s *script) Uint64() uint64 {
	s.drawn++
	b := byte(s.drawn * 0x9e3779b97f4a7c15 >> 56)
	if s.more() {
		b, s.rest = s.rest[0], s.rest[1:]
	}
	return uint64(b)<<56 | s.drawn<<32&(1<<56-1) | uint64(b)
}

func (s *script) more() bool { return len(s.rest) > 0 }

// FuzzEngine takes its input for a history, see enginetest.History: which operation, which key, which
// value. The store must answer as the model does, and after a crash be in a state that it had.
//
// Background work runs when it likes, so an input does not always take the same way through the
// code. The answers must not depend on that.
func FuzzEngine(f *testing.F) {
	addHistories(f)
	f.Fuzz(func(t *testing.T, input []byte) { runEngine(t, input) })
}

func runEngine(t *testing.T, input []byte) {
	s := &script{rest: input}
	draw := rand.New(s)
	options := engineOptions[draw.IntN(len(engineOptions))]
	clock := enginetest.NewClock()
	options.MemTableSize, options.TableSize, options.MergeOperator = 64<<10, 32<<10, tinykv.MergeAppend
	options.Clock = clock.Now
	fsys := simfs.New()
	open := func(readOnly bool) func() (*tinykv.DB, error) {
		return func() (*tinykv.DB, error) {
			o := options
			o.FS, o.ReadOnly = fsys, readOnly
			return tinykv.Open("/store", &o)
		}
	}
	h := &enginetest.History{
		T: t, Random: enginetest.Random{Rand: draw}, Open: open(false), OpenReadOnly: open(true),
		Clock: clock, Fuzzed: true, More: s.more,
		Crash: func() bool {
			policy := simfs.Policies()[draw.IntN(int(simfs.KillInWrite)-1)] // no call is under way
			fsys = fsys.Image(policy, draw.Uint64())
			return policy.CutsPower()
		},
	}
	h.Run(maxEngineOps)
}

// addHistories adds histories of every kind of store: short ones, in which chance can find the one
// choice that matters, and longer ones with many tables.
func addHistories(f *testing.F) {
	f.Add([]byte{})
	for i := range engineOptions {
		kind := byte(i*256/len(engineOptions) + 1)
		for _, n := range []int{30, 150, 500} {
			random := make([]byte, n)
			rand.NewChaCha8([32]byte{byte(i), byte(n)}).Read(random)
			f.Add(append([]byte{kind}, random...))
		}
		f.Add(append([]byte{kind}, bytes.Repeat([]byte{1, 7, 200, 90, 30, 250}, 50)...))
	}
}

func TestScript_EveryByteCounts(t *testing.T) {
	for n := 2; n < 300; n++ {
		seen := map[int]bool{}
		for b := range 256 {
			seen[rand.New(&script{rest: []byte{byte(b)}}).IntN(n)] = true
		}
		if want := min(n, 256) * 9 / 10; len(seen) < want {
			t.Errorf("a byte draws %d of %d numbers", len(seen), n)
		}
	}
}
