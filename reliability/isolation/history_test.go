package isolation

import (
	"cmp"
	"slices"
)

// A history is the transactions of several clients. Each appends elements, none of which is appended twice, to lists that go by keys, and
// reads whole lists. A key without a list has the empty one.

// txn is one transaction.
type txn struct {
	Client  int
	Invoked int64 // when it began
	Done    int64 // when its outcome was known; 0 if it never was
	Outcome outcome
	Ops     []op
}

type outcome int

const (
	unknown   outcome = iota // the process was killed, or the commit returned another error
	committed                // it was acknowledged
	aborted                  // it was refused, or rolled back: nothing of it may ever be seen
)

// op is an append, or a read of a list.
type op struct {
	Key    string
	Append int   // the element; 0 for a read
	List   []int // that was read
}

// byInvocation sorts transactions.
func byInvocation(a, b *txn) int { return cmp.Compare(a.Invoked, b.Invoked) }

// readsOf returns the reads of a transaction that tell what others did: of each, the list without what the transaction itself appended
// before, which stands at its end.
func (t *txn) readsOf() (reads []op) {
	own := map[string][]int{}
	for _, o := range t.Ops {
		if o.Append != 0 {
			own[o.Key] = append(own[o.Key], o.Append)
			continue
		}
		n := len(o.List) - len(own[o.Key])
		if n < 0 || !slices.Equal(o.List[n:], own[o.Key]) {
			n = len(o.List) // it does not see its own: let that be found out
		}
		reads = append(reads, op{Key: o.Key, List: o.List[:n]})
	}
	return reads
}

// seesOwn tells whether each read of a transaction ends with what it appended before.
func (t *txn) seesOwn() bool {
	own := map[string][]int{}
	for _, o := range t.Ops {
		if o.Append != 0 {
			own[o.Key] = append(own[o.Key], o.Append)
		} else if n := len(o.List) - len(own[o.Key]); n < 0 || !slices.Equal(o.List[n:], own[o.Key]) {
			return false
		}
	}
	return true
}
