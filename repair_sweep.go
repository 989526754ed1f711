package tinykv

import (
	"bytes"
	"container/heap"

	"github.com/tinykv/tinykv/internal/key"
)

// repairCover is a stretch of stored keys, from lower up to, but without, upper: of a range tombstone with sequence number
// seq, or a gap, of which entries or range tombstones cannot be read that are no newer than that.
type repairCover struct {
	lower, upper []byte
	seq          key.SeqNum
	damage       *RepairDamage // of a gap
}

// repairSweep tells what covers the key at hand, for keys in order. The covers of one run do not
// overlap: so of each, one counts at a time. A tree tells the newest of them.
type repairSweep struct {
	lists [][]repairCover // by run: the one that counts, or the next, and those behind it
	on    []bool          // by run: the first one counts
	turns repairTurns     // runs that have covers, by the key at which the next one begins or ends to count

	// top[i] is the run whose cover is the newest, of those of top[2*i] and top[2*i+1]. The second half is the
	// runs themselves.
	top []int
}

func newRepairSweep(runs int) repairSweep {
	s := repairSweep{lists: make([][]repairCover, runs), on: make([]bool, runs), top: make([]int, 2*runs)}
	s.turns = repairTurns{place: make([]int, runs), keys: make([][]byte, runs)}
	for i := range runs {
		s.turns.place[i] = -1
		s.top[runs+i] = i
	}
	for i := runs - 1; i > 0; i-- {
		s.top[i] = s.newer(s.top[2*i], s.top[2*i+1])
	}
	return s
}

func (s *repairSweep) runs() int { return len(s.lists) }

// add adds a cover to those of a run. It comes behind them, or takes the place of those that begin no earlier.
func (s *repairSweep) add(run int, c repairCover) {
	list := s.lists[run]
	n := len(list)
	for ; n > 0 && bytes.Compare(c.lower, list[n-1].lower) <= 0 && (n > 1 || !s.on[run]); n-- {
		if bytes.Compare(list[n-1].upper, c.upper) > 0 {
			c.upper = list[n-1].upper
		}
		c.seq = max(c.seq, list[n-1].seq)
	}
	if n > 0 && bytes.Compare(c.lower, list[n-1].upper) < 0 {
		c.lower = list[n-1].upper
	}
	if bytes.Compare(c.lower, c.upper) < 0 {
		s.lists[run] = append(list[:n], c)
		s.schedule(run)
	}
}

// advance turns to a key, no less than the one before.
func (s *repairSweep) advance(stored []byte) {
	for s.turns.Len() > 0 {
		run := s.turns.runs[0]
		if bytes.Compare(s.turns.keys[run], stored) > 0 {
			return
		}
		if s.on[run] {
			s.lists[run] = s.lists[run][1:]
		}
		s.on[run] = !s.on[run]
		for i := (len(s.lists) + run) / 2; i > 0; i /= 2 {
			s.top[i] = s.newer(s.top[2*i], s.top[2*i+1])
		}
		s.schedule(run)
	}
}

// schedule has the turn of a run come when it is due.
func (s *repairSweep) schedule(run int) {
	t := &s.turns
	switch list := s.lists[run]; {
	case len(list) == 0:
		t.keys[run] = nil
		heap.Remove(t, t.place[run])
		return
	case s.on[run]:
		t.keys[run] = list[0].upper
	default:
		t.keys[run] = list[0].lower
	}
	if t.place[run] < 0 {
		heap.Push(t, run)
	} else {
		heap.Fix(t, t.place[run])
	}
}

// newest returns the newest cover of the key among the first runs, at least one; its sequence number is 0 when there is none.
func (s *repairSweep) newest(runs int) repairCover {
	best := 0
	for from, to := len(s.lists), len(s.lists)+runs; from < to; from, to = from/2, to/2 {
		if from%2 == 1 {
			best = s.newer(best, s.top[from])
			from++
		}
		if to%2 == 1 {
			to--
			best = s.newer(best, s.top[to])
		}
	}
	if !s.on[best] {
		return repairCover{}
	}
	return s.lists[best][0]
}

// newer returns that of two runs whose cover is the newer.
func (s *repairSweep) newer(a, b int) int {
	if !s.on[a] || s.on[b] && s.lists[b][0].seq > s.lists[a][0].seq {
		return b
	}
	return a
}

// repairTurns is a heap of runs by keys.
type repairTurns struct {
	runs  []int
	keys  [][]byte // by run
	place []int    // by run: in runs; -1 when it is not there
}

// Len implements heap.Interface.
func (t *repairTurns) Len() int { return len(t.runs) }

// Less implements heap.Interface.
func (t *repairTurns) Less(i, j int) bool {
	return bytes.Compare(t.keys[t.runs[i]], t.keys[t.runs[j]]) < 0
}

// Swap implements heap.Interface.
func (t *repairTurns) Swap(i, j int) {
	t.runs[i], t.runs[j] = t.runs[j], t.runs[i]
	t.place[t.runs[i]], t.place[t.runs[j]] = i, j
}

// Push implements heap.Interface.
func (t *repairTurns) Push(run any) {
	t.place[run.(int)] = len(t.runs)
	t.runs = append(t.runs, run.(int))
}

// Pop implements heap.Interface.
func (t *repairTurns) Pop() any {
	last := len(t.runs) - 1
	run := t.runs[last]
	t.runs, t.place[run] = t.runs[:last], -1
	return run
}
