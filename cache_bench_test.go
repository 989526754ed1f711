package tinykv

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
)

// BenchmarkBlockCache reads keys by Zipf's law over compressed data that is four times the cache, and
// compares the cache with the plainest one, CLOCK, of the same size, which sees the same look-ups.
//
//	go test -run '^$' -bench BlockCache -benchtime 2000000x .
//
// hit-% counts the look-ups that reach ristretto, that is all of this benchmark.
func BenchmarkBlockCache(b *testing.B) {
	const cacheBytes = 8 << 20
	dir, options := b.TempDir(), Options{Compression: CompressionS2, CacheSize: cacheBytes}
	blocks, blockBytes := fillCompressed(b, dir, options, 4*cacheBytes)
	db, err := Open(dir, &options)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	clock := newClock(cacheBytes, blockBytes+200) // as much beside a block as blockcache counts
	zipf := newZipf(uint64(len(blocks)), 0.99)
	rng := rand.New(rand.NewPCG(1, 2))
	dst := make([]byte, 0, 200)
	var k [16]byte
	read := func() {
		n := scatter(zipf.draw(rng), len(blocks))
		if _, err := db.GetTo(dst[:0], benchKey(k[:], n)); err != nil {
			b.Fatal(err)
		}
		clock.lookUp(blocks[n])
	}
	for range len(blocks) { // warm up
		read()
	}
	before := db.Metrics().Cache
	clock.hits, clock.misses = 0, 0
	b.ReportAllocs()
	for b.Loop() {
		read()
	}
	c := db.Metrics().Cache
	hits, misses := c.Hits-before.Hits, c.Misses-before.Misses
	b.ReportMetric(percent(hits, hits+misses), "hit-%")
	b.ReportMetric(percent(clock.hits, clock.hits+clock.misses), "clock-hit-%")
	b.ReportMetric(float64(c.Dropped-before.Dropped), "dropped")
	b.ReportMetric(float64(c.Rejected-before.Rejected), "rejected")
	b.ReportMetric(float64(c.Evicted-before.Evicted), "evicted")
	b.ReportMetric(percent(uint64(c.Held), uint64(c.Size)), "filled-%")
	if lookups := hits + misses; lookups != clock.hits+clock.misses {
		b.Errorf("%d look-ups reached the cache, %d the other", lookups, clock.hits+clock.misses)
	}
}

func percent(part, whole uint64) float64 { return 100 * float64(part) / float64(max(whole, 1)) }

// blockID tells blocks apart.
type blockID struct {
	table  uint64
	offset int64
}

// fillCompressed makes a store of so many bytes in its only level, and returns the block of each key and
// the mean length of a decompressed one.
func fillCompressed(b *testing.B, dir string, options Options, bytes int) (blocks []blockID, blockBytes int) {
	b.Helper()
	db, err := Open(dir, &options)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var k [16]byte
	value := make([]byte, 100)
	entries := uint64(bytes / (len(k) + len(value)))
	rng := rand.New(rand.NewPCG(3, 4))
	for n := range entries {
		for i := range value[:50] {
			value[i] = byte(rng.Uint32())
		}
		copy(value[50:], value[:50])
		if err := db.Put(benchKey(k[:], n), value); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Compact(context.Background(), All()); err != nil {
		b.Fatal(err)
	}
	distinct := map[blockID]bool{}
	for n := range entries {
		e, err := db.Explain(benchKey(k[:], n))
		if err != nil {
			b.Fatal(err)
		}
		p := e.Places[len(e.Places)-1]
		blocks = append(blocks, blockID{p.Table, p.BlockOffset})
		distinct[blocks[n]] = true
	}
	const beside = 1 + 1 + 2 + 2 + 2 + 4 // of an entry: length, keyspace, fingerprint, head, offset, sequence number
	return blocks, int(entries) * (len(k) + len(value) + beside) / len(distinct)
}

// scatter spreads popular numbers over all of them, as a permutation or nearly one.
func scatter(rank uint64, n int) uint64 {
	x := (rank + 1) * 0x9e3779b97f4a7c15
	x = (x ^ x>>32) * 0xd6e8feb86659fd93
	return (x ^ x>>32) % uint64(n)
}

// zipf draws ranks, after J. Gray et al., "Quickly Generating Billion-Record Synthetic Databases",
// SIGMOD 1994, as YCSB does.
type zipf struct {
	n                      float64
	theta, zeta, eta, half float64
}

func newZipf(n uint64, theta float64) *zipf {
	z := &zipf{n: float64(n), theta: theta, half: 1 + math.Pow(0.5, theta)}
	for i := range n {
		z.zeta += 1 / math.Pow(float64(i+1), theta)
	}
	z.eta = (1 - math.Pow(2/z.n, 1-theta)) / (1 - z.half/z.zeta)
	return z
}

func (z *zipf) draw(rng *rand.Rand) uint64 {
	u := rng.Float64()
	switch uz := u * z.zeta; {
	case uz < 1:
		return 0
	case uz < z.half:
		return 1
	}
	return min(uint64(z.n*math.Pow(z.eta*u-z.eta+1, 1/(1-z.theta))), uint64(z.n)-1)
}

// clock is a cache of blocks by the CLOCK rule: a ring of frames, each with a bit that a hit sets; the
// hand clears bits until it finds one clear, and puts the new block there.
type clock struct {
	frames       []clockFrame
	at           map[blockID]int
	hand         int
	hits, misses uint64
}

type clockFrame struct {
	id   blockID
	used bool
}

func newClock(sizeBytes, blockBytes int) *clock {
	return &clock{frames: make([]clockFrame, sizeBytes/blockBytes), at: map[blockID]int{}}
}

func (c *clock) lookUp(id blockID) {
	if i, ok := c.at[id]; ok {
		c.hits++
		c.frames[i].used = true
		return
	}
	c.misses++
	for c.frames[c.hand].used {
		c.frames[c.hand].used = false
		c.hand = (c.hand + 1) % len(c.frames)
	}
	delete(c.at, c.frames[c.hand].id)
	c.frames[c.hand] = clockFrame{id: id}
	c.at[id] = c.hand
	c.hand = (c.hand + 1) % len(c.frames)
}
