package main

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tinykv/tinykv/bench/internal/draw"
)

// mixgraph is a model of what a social graph at Facebook asks of RocksDB (Cao et al.: Characterizing,
// modeling, and benchmarking RocksDB key-value workloads at Facebook, FAST 2020). These are the
// parameters of its workload Prefix_dist, as the wiki of RocksDB gives them for db_bench: there, they
// are flags. The rate of calls, which goes up and down in the course of a day there, is as high as can
// be here.
const (
	mixGets = 85 // percent
	mixPuts = 14
	mixSeek = 1

	keyRangeCount = 30 // -keyrange_num

	// The hotness of key range x is a*exp(b*x) + c*exp(d*x): -keyrange_dist_a and so on.
	keyRangeA, keyRangeB = 14.18, -2.917
	keyRangeC, keyRangeD = 0.0164, -0.08082

	// Of what is asked for in a range, a*x^b are for the x hottest keys: -key_dist_a, -key_dist_b.
	keyA, keyB = 0.002312, 0.3467

	// Generalized Pareto distributions: -value_k, -value_sigma, -iter_k, -iter_sigma.
	valueK, valueSigma = 0.2615, 25.45
	scanK, scanSigma   = 2.517, 14.236

	maxMixValue = 1024   // -mix_max_value_size
	maxMixScan  = 10_000 // -mix_max_scan_len
)

func mixGraph(w *worker) error {
	return w.mix(share{mixGets, lookUp}, share{mixPuts, changeSize}, share{mixSeek, scanFar})
}

// changeSize writes a random key with a value of a size of its own.
func changeSize(w *worker) error {
	w.values.Size = paretoBelow(w.rng, valueK, valueSigma, maxMixValue)
	return change(w)
}

// scanFar reads some records, mostly few, from a random one on.
func scanFar(w *worker) error {
	setKey(w.key, w.random())
	bytes, err := w.seekOnce(walk{moves: paretoBelow(w.rng, scanK, scanSigma, maxMixScan)})
	w.Did(1, bytes)
	return err
}

// paretoBelow draws from a generalized Pareto distribution that starts at 0, rounded up; what is too
// large starts over at 0, as in db_bench.
func paretoBelow(rng *rand.Rand, k, sigma float64, limit uint64) int {
	u := 1 - rng.Float64() // above 0
	x := math.Ceil(sigma * (math.Pow(u, -k) - 1) / k)
	return int(uint64(min(x, 1<<62)) % limit)
}

// keyRanges draws numbers from key ranges of different hotness, and within each some more often than
// others. It is db_bench's GenerateTwoTermExpKeys with another hash.
type keyRanges struct {
	ranges []keyRange  // in order of upTo
	ranks  *draw.Ranks // within a range
	size   uint64      // numbers in each
}

// keyRange is drawn for a random number from that of the range before it up to upTo.
type keyRange struct {
	upTo float64
	slot uint64 // where it lies among the others
}

func newKeyRanges(s *session) draw.Numbers {
	n := uint64(s.config.num)
	count := min(keyRangeCount, n)
	k := &keyRanges{size: n / count, ranks: draw.NewPower(uint64(math.Pow(1/keyA, 1/keyB)), keyB)}
	order := rand.New(rand.NewPCG(keyRangeCount, 0)).Perm(int(count)) // that hot ones lie anywhere, and always there
	total := 0.0
	for i, slot := range order {
		x := float64(i + 1)
		total += keyRangeA*math.Exp(keyRangeB*x) + keyRangeC*math.Exp(keyRangeD*x)
		k.ranges = append(k.ranges, keyRange{upTo: total, slot: uint64(slot)})
	}
	for i := range k.ranges {
		k.ranges[i].upTo /= total
	}
	return k
}

func (k *keyRanges) Draw(rng *rand.Rand) uint64 {
	u := rng.Float64()
	i, _ := slices.BinarySearchFunc(k.ranges, u, func(r keyRange, u float64) int { return cmp.Compare(r.upTo, u) })
	r := k.ranges[min(i, len(k.ranges)-1)]
	return r.slot*k.size + draw.Hash(k.ranks.Draw(rng))%k.size
}
