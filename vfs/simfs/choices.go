package simfs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

const (
	// maxExhaustiveCoins is up to how many coins all outcomes are shown.
	maxExhaustiveCoins = 3

	// defaultRandomImages is how many random images follow the others when there is no limit.
	defaultRandomImages = 1 << maxExhaustiveCoins
)

// unsynced is one operation that a power cut may lose: on names or on contents.
type unsynced struct {
	index int
	name  *nameOp
	node  *inode // of data
	data  *dataOp
}

// choices is what a policy can make of a list of unsynced operations. Its images are numbered: the
// fixed ones from 0, and then, if it has any, as many random ones as anybody asks for.
type choices struct {
	policy Policy
	ops    []unsynced
	fixed  int
	random bool
	coins  []int // places in ops that a coin is tossed for, under policies that toss for whole operations
	torn   int   // place in ops that is cut, under policies that tear; -1 for none
}

// newChoices returns the choices of a policy, after a call with the given index.
func newChoices(policy Policy, ops []unsynced, newest int) choices {
	c := choices{policy: policy, ops: ops, fixed: 1, torn: -1}
	isName := func(op unsynced) bool { return op.name != nil }
	switch policy {
	case Prefixes:
		c.fixed = len(ops) + 1
	case Omissions:
		c.fixed = max(len(ops), 1)
	case RandomSubset:
		c.toss(func(unsynced) bool { return true })
	case LaterWithoutEarlier, NewestBlock, LostNames:
		c.toss(isName)
	case Torn512, Torn4096, Garbled:
		c.cutNewest()
	case KillInWrite:
		c.stopCopy(newest)
	}
	return c
}

// toss decides operations by coin. With more than a few, all lost and all kept are fixed images.
func (c *choices) toss(which func(unsynced) bool) {
	for i, op := range c.ops {
		if which(op) {
			c.coins = append(c.coins, i)
		}
	}
	c.fixed = 2
	c.random = len(c.coins) > maxExhaustiveCoins
	if !c.random {
		c.fixed = 1 << len(c.coins)
	}
}

// cutNewest makes an image for each way to cut the newest operation on contents.
func (c *choices) cutNewest() {
	c.torn = len(c.ops) - 1
	for c.torn >= 0 && c.ops[c.torn].data == nil {
		c.torn--
	}
	c.random = len(c.ops) > 0
	if c.torn >= 0 {
		c.fixed = c.ops[c.torn].data.blocks(c.policy.blockBytes())
	}
}

// stopCopy makes an image for each byte up to which the newest operation may have come, if it is a copy.
func (c *choices) stopCopy(newest int) {
	last := len(c.ops) - 1
	if last < 0 || c.ops[last].data == nil || c.ops[last].index != newest {
		return
	}
	if op := c.ops[last]; op.data.mapped && !op.node.strayed {
		c.torn, c.fixed, c.random = last, int(op.data.n), true
	}
}

// numbers returns the images to show: all fixed ones and some random ones, or no more than limit of
// them if that is above 0. Then half of them may be random, and the fixed ones are spread evenly.
func (c *choices) numbers(seed uint64, limit int) []int {
	if limit == 1 {
		return []int{c.one(seed)}
	}
	fixed, random := c.fixed, 0
	if c.random {
		random = defaultRandomImages
	}
	if limit > 0 {
		fixed = min(fixed, limit)
		if c.random {
			fixed = min(fixed, (limit+1)/2)
			random = limit - fixed
		}
	}
	numbers := spread(c.fixed, fixed, newRand(seed, 0))
	for i := range random {
		numbers = append(numbers, c.fixed+i)
	}
	return numbers
}

// spread picks count of the numbers below n, sorted: the first, the last, and one by lot from each of
// count-2 equal stretches between; just one by lot if count is 1.
func spread(n, count int, rng *rand.Rand) []int {
	if count == 1 {
		return []int{rng.IntN(n)}
	}
	numbers := make([]int, 0, count)
	for i := range count {
		lower, upper := 0, 1
		switch {
		case i == count-1:
			lower, upper = n-1, n
		case i > 0:
			lower, upper = 1+(i-1)*(n-2)/(count-2), 1+i*(n-2)/(count-2)
		}
		numbers = append(numbers, lower+rng.IntN(upper-lower))
	}
	return numbers
}

// one returns the number of the image that stands for all when one is asked for.
func (c *choices) one(seed uint64) int {
	rng := newRand(seed, 0)
	if c.random && coin(rng) {
		return c.fixed
	}
	return rng.IntN(c.fixed)
}

// fates returns what is left of each operation in an image, and the image's name.
func (c *choices) fates(seed uint64, number int) ([]fate, Label) {
	fates := make([]fate, len(c.ops))
	text := "only what was synced"
	switch c.policy {
	case KeepAll:
		text = "everything"
		keep(fates, true)
	case Prefixes:
		text = c.prefix(fates, number)
	case Omissions:
		text = c.omission(fates, number)
	case RandomSubset, LostNames, LaterWithoutEarlier, NewestBlock:
		text = c.subset(fates, seed, number)
	case Torn512, Torn4096, Garbled:
		text = c.tear(fates, seed, number)
	}
	return fates, Label{Number: number, Text: text}
}

func keep(fates []fate, whole bool) {
	for i := range fates {
		fates[i].whole = whole
	}
}

func (c *choices) prefix(fates []fate, n int) string {
	keep(fates[:n], true)
	return fmt.Sprintf("kept the first %d of %d, %s", n, len(fates), c.lost(fates))
}

func (c *choices) omission(fates []fate, at int) string {
	keep(fates, true)
	if len(fates) > 0 {
		fates[at].whole = false
	}
	return c.lost(fates)
}

func (c *choices) subset(fates []fate, seed uint64, number int) string {
	keep(fates, true)
	if c.policy == LaterWithoutEarlier || c.policy == NewestBlock {
		c.keepNewest(fates)
	}
	rng := newRand(seed, number)
	for bit, i := range c.coins {
		switch {
		case number >= c.fixed:
			fates[i].whole = coin(rng)
		case c.random:
			fates[i].whole = number == 1
		default:
			fates[i].whole = number>>bit&1 == 1
		}
	}
	return c.lost(fates)
}

// keepNewest loses all operations on contents but the newest of each file.
func (c *choices) keepNewest(fates []fate) {
	seen := map[*inode]bool{}
	for i, op := range slices.Backward(c.ops) {
		if op.data != nil {
			fates[i].whole = !seen[op.node]
			if fates[i].whole && c.policy == NewestBlock {
				fates[i] = op.data.lastBlock(c.policy.blockBytes())
			}
			seen[op.node] = true
		}
	}
}

func (c *choices) tear(fates []fate, seed uint64, number int) string {
	blockBytes := c.policy.blockBytes()
	if number < c.fixed {
		keep(fates, true)
		if c.torn < 0 {
			return "everything"
		}
		newest := c.ops[c.torn]
		fates[c.torn] = newest.data.cut(blockBytes, number)
		if c.policy == Garbled && number > 0 {
			fates[c.torn].garble(newest.data, (newest.data.off/blockBytes+int64(number))*blockBytes, newRand(seed, number))
		}
		return fmt.Sprintf("operation %d cut after %d of %d blocks", newest.index, number, c.fixed)
	}
	rng, ends := newRand(seed, number), map[*inode]int64{}
	for i, op := range c.ops {
		if op.name != nil {
			fates[i].whole = coin(rng)
		} else {
			fates[i] = op.data.tear(blockBytes, rng, c.policy == Garbled)
			if _, ok := ends[op.node]; !ok {
				ends[op.node] = op.node.anyEnd(rng)
			}
		}
	}
	for i, op := range c.ops {
		if op.data != nil {
			fates[i].clip(ends[op.node])
		}
	}
	return "torn at random"
}

// lost names the operations that are lost, shortened when there are many.
func (c *choices) lost(fates []fate) string {
	const most = 8
	var b strings.Builder
	b.WriteString("lost")
	count := 0
	for i, op := range c.ops {
		if fates[i].whole {
			continue
		}
		if count++; count <= most {
			fmt.Fprintf(&b, " %d", op.index)
		}
	}
	switch {
	case count == 0:
		b.WriteString(" nothing")
	case count > most:
		fmt.Fprintf(&b, " and %d more", count-most)
	}
	return b.String()
}

func newRand(seed uint64, number int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(number))) }
