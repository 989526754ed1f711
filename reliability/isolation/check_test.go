package isolation

import (
	"fmt"
	"slices"
	"strings"
)

// The search for anomalies is that of Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from Experimental Observations" (VLDB 2020), for
// lists: as a list tells in which order its elements came, what transactions read tells which came before which.
//
//	ww  one appended to a list right before the other
//	wr  the other read what one appended last
//	rw  one read a list before the other appended to it
//	rt  one was acknowledged before the other began
//
// A serializable history in the order of the clock has no cycle of these. The names of cycles are those of Adya (1999), as far as they go.

// anomaly is something that must not be.
type anomaly struct {
	kind string
	text string
}

func (a anomaly) String() string { return a.kind + ": " + a.text }

// The kinds. A cycle with rt edges alone beside others is the same with "-realtime": it is serializable, but something stale was read.
const (
	lostAppend       = "lost append"
	duplicate        = "duplicate element"
	garbage          = "element that nobody appended"
	abortedRead      = "aborted read (G1a)"
	intermediateRead = "intermediate read (G1b)"
	ownWrites        = "own writes are not seen"
	unrepeatable     = "two reads of one list in a transaction differ"
	incompatible     = "incompatible orders"
	dirtyWrite       = "write cycle (G0)"
	circularFlow     = "circular information flow (G1c)"
	readSkew         = "read skew or lost update (G-single)"
	writeSkew        = "write skew or phantom (G2)"
	realtime         = "-realtime"
)

// edgeKind is one of the relations above.
type edgeKind uint8

const (
	ww edgeKind = 1 << iota
	wr
	rw
	rt
)

func (k edgeKind) String() string {
	return map[edgeKind]string{ww: "ww", wr: "wr", rw: "rw", rt: "rt"}[k]
}

type edge struct {
	to   int
	kind edgeKind
}

// checker is a search.
type checker struct {
	txns  []*txn
	found []anomaly

	writer map[string]map[int]int // of a key and an element: the transaction
	order  map[string][]int       // of a key: all elements, in order, as far as anybody read them
	edges  [][]edge
}

// check returns the anomalies of a history. Its last transaction, if that is committed, is taken to come behind all others.
func check(txns []*txn) []anomaly {
	c := &checker{txns: slices.SortedFunc(slices.Values(txns), byInvocation)}
	c.edges = make([][]edge, len(c.txns))
	c.findWriters()
	c.findOrders()
	if len(c.found) > 0 {
		return c.found // of lists that are wrong in themselves, nothing follows
	}
	c.findLost()
	c.addDependencies()
	c.addRealTime()
	c.findCycles()
	return c.found
}

func (c *checker) report(kind, format string, args ...any) {
	c.found = append(c.found, anomaly{kind, fmt.Sprintf(format, args...)})
}

func (c *checker) findWriters() {
	c.writer = map[string]map[int]int{}
	for i, t := range c.txns {
		for _, o := range t.Ops {
			if o.Append == 0 {
				continue
			}
			if c.writer[o.Key] == nil {
				c.writer[o.Key] = map[int]int{}
			}
			c.writer[o.Key][o.Append] = i
		}
	}
}

// findOrders looks at each list by itself, and takes the longest of each key as the order of its elements.
func (c *checker) findOrders() {
	c.order = map[string][]int{}
	for i, t := range c.txns {
		if t.Outcome != committed {
			continue
		}
		if !t.seesOwn() {
			c.report(ownWrites, "%s", c.name(i))
		}
		seen := map[string][]int{}
		for _, r := range t.readsOf() {
			if before, ok := seen[r.Key]; ok && !slices.Equal(before, r.List) {
				c.report(unrepeatable, "%s: %s is %v, then %v", c.name(i), r.Key, before, r.List)
			}
			seen[r.Key] = r.List
			c.look(i, r)
			if len(r.List) > len(c.order[r.Key]) {
				c.order[r.Key] = r.List
			}
		}
	}
	for i, t := range c.txns {
		if t.Outcome != committed {
			continue
		}
		for _, r := range t.readsOf() {
			if longest := c.order[r.Key]; !slices.Equal(longest[:min(len(r.List), len(longest))], r.List) {
				c.report(incompatible, "%s reads %s as %v, others as %v", c.name(i), r.Key, r.List, longest)
			}
		}
	}
}

// look looks at one list that was read.
func (c *checker) look(reader int, r op) {
	seen := map[int]bool{}
	for _, e := range r.List {
		w, ok := c.writer[r.Key][e]
		switch {
		case !ok:
			c.report(garbage, "%s reads %d in %s", c.name(reader), e, r.Key)
		case seen[e]:
			c.report(duplicate, "%s reads %d twice in %s: %v", c.name(reader), e, r.Key, r.List)
		case c.txns[w].Outcome == aborted:
			c.report(abortedRead, "%s reads %d in %s, of %s", c.name(reader), e, r.Key, c.name(w))
		}
		seen[e] = true
	}
	if len(r.List) == 0 {
		return
	}
	last := r.List[len(r.List)-1]
	if w, ok := c.writer[r.Key][last]; ok && w != reader && last != c.lastOf(w, r.Key) {
		c.report(intermediateRead, "%s reads %s up to %d, but %s goes on", c.name(reader), r.Key, last, c.name(w))
	}
}

// lastOf returns the last element that a transaction appended to a list.
func (c *checker) lastOf(writer int, key string) (last int) {
	for _, o := range c.txns[writer].Ops {
		if o.Key == key && o.Append != 0 {
			last = o.Append
		}
	}
	return last
}

// findLost holds what was acknowledged against what the last transaction reads.
func (c *checker) findLost() {
	if len(c.txns) == 0 {
		return
	}
	end := c.txns[len(c.txns)-1]
	finally := map[string]map[int]bool{}
	for _, r := range end.readsOf() {
		finally[r.Key] = map[int]bool{}
		for _, e := range r.List {
			finally[r.Key][e] = true
		}
	}
	for i, t := range c.txns {
		if t.Outcome != committed {
			continue
		}
		for _, o := range t.Ops {
			if list, ok := finally[o.Key]; ok && o.Append != 0 && !list[o.Append] {
				c.report(lostAppend, "%d of %s, by %s", o.Append, o.Key, c.name(i))
			}
		}
	}
}

func (c *checker) add(from, to int, kind edgeKind) {
	if from != to {
		c.edges[from] = append(c.edges[from], edge{to, kind})
	}
}

func (c *checker) addDependencies() {
	at := map[string]map[int]int{} // of a key and an element: its place in the order
	for k, order := range c.order {
		at[k] = map[int]int{}
		for i, e := range order {
			at[k][e] = i
			if i > 0 {
				c.add(c.writer[k][order[i-1]], c.writer[k][e], ww)
			}
		}
	}
	for i, t := range c.txns {
		if t.Outcome != committed {
			continue
		}
		for _, r := range t.readsOf() {
			if n := len(r.List); n > 0 {
				c.add(c.writer[r.Key][r.List[n-1]], i, wr)
			}
			if n, order := len(r.List), c.order[r.Key]; n < len(order) {
				c.add(i, c.writer[r.Key][order[n]], rw)
			}
			for e, w := range c.writer[r.Key] { // appended and acknowledged, but behind what anybody read
				if _, read := at[r.Key][e]; !read && c.txns[w].Outcome == committed {
					c.add(i, w, rw)
				}
			}
		}
	}
}

// addRealTime adds an edge from each transaction to those that began after it was acknowledged, but for those that follow from others.
func (c *checker) addRealTime() {
	type event struct {
		at  int64
		txn int
		end bool
	}
	var events []event
	for i, t := range c.txns {
		events = append(events, event{t.Invoked, i, false})
		if t.Outcome == committed {
			events = append(events, event{t.Done, i, true})
		}
	}
	slices.SortStableFunc(events, func(a, b event) int {
		switch {
		case a.at != b.at:
			return int(max(-1, min(1, a.at-b.at)))
		case a.end == b.end:
			return 0
		case a.end: // at one moment nothing is certain
			return 1
		default:
			return -1
		}
	})
	frontier := map[int]bool{} // those acknowledged that no other one acknowledged has followed
	before := make([][]int, len(c.txns))
	for _, e := range events {
		if !e.end {
			for f := range frontier {
				c.add(f, e.txn, rt)
				before[e.txn] = append(before[e.txn], f)
			}
			continue
		}
		for _, f := range before[e.txn] {
			delete(frontier, f)
		}
		frontier[e.txn] = true
	}
}

// findCycles reports one cycle, of the worst kind that there is.
func (c *checker) findCycles() {
	for _, level := range []struct {
		within edgeKind
		once   edgeKind // an edge of this kind closes the cycle
		kind   string
	}{
		{ww, ww, dirtyWrite},
		{ww | wr, wr, circularFlow},
		{ww | wr, rw, readSkew},
		{ww | wr | rw, rw, writeSkew},
		{ww | rt, rt, dirtyWrite + realtime},
		{ww | wr | rt, rt, circularFlow + realtime},
		{ww | wr | rt, rw, readSkew + realtime},
		{ww | wr | rw | rt, rw, writeSkew + realtime},
	} {
		c.findCycle(level.within, level.once, level.kind)
		if len(c.found) > 0 {
			return
		}
	}
}

// findCycle reports a cycle, the shortest through its first edge, of an edge of one kind and a path of edges of some kinds, if there is one within a knot of all these.
func (c *checker) findCycle(within, closing edgeKind, kind string) {
	knot := c.knots(within | closing)
	for from, edges := range c.edges {
		for _, e := range edges {
			if e.kind != closing || knot[from] != knot[e.to] {
				continue
			}
			if path := c.path(e.to, from, within, knot); path != nil {
				c.report(kind, "%s", c.tell(from, e, path))
				return
			}
		}
	}
}

// knots numbers the strongly connected components (Tarjan, 1972), without recursion.
func (c *checker) knots(kinds edgeKind) []int {
	n := len(c.txns)
	knot, index, low := make([]int, n), make([]int, n), make([]int, n)
	next, knots := 1, 0
	var stack []int
	onStack := make([]bool, n)
	type frame struct{ v, edge int }
	for root := range n {
		if index[root] != 0 {
			continue
		}
		calls := []frame{{root, 0}}
		for len(calls) > 0 {
			f := &calls[len(calls)-1]
			v := f.v
			if f.edge == 0 {
				index[v], low[v] = next, next
				next++
				stack, onStack[v] = append(stack, v), true
			}
			descended := false
			for f.edge < len(c.edges[v]) {
				e := c.edges[v][f.edge]
				f.edge++
				if e.kind&kinds == 0 {
					continue
				}
				if index[e.to] == 0 {
					calls = append(calls, frame{e.to, 0})
					descended = true
					break
				}
				if onStack[e.to] {
					low[v] = min(low[v], index[e.to])
				}
			}
			if descended {
				continue
			}
			if f.edge == 0 {
				f.edge = 1 // it has no edges: it was begun
			}
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				parent := calls[len(calls)-1].v
				low[parent] = min(low[parent], low[v])
			}
			if low[v] != index[v] {
				continue
			}
			knots++
			for {
				w := stack[len(stack)-1]
				stack, onStack[w], knot[w] = stack[:len(stack)-1], false, knots
				if w == v {
					break
				}
			}
		}
	}
	return knot
}

// path returns the edges of a shortest path within a knot, or nil.
func (c *checker) path(from, to int, kinds edgeKind, knot []int) []edge {
	type step struct {
		before int
		edge   edge
	}
	steps := map[int]step{from: {before: -1}}
	for queue := []int{from}; len(queue) > 0; queue = queue[1:] {
		v := queue[0]
		if v == to {
			var path []edge
			for v != from {
				path = append(path, steps[v].edge)
				v = steps[v].before
			}
			slices.Reverse(path)
			if path == nil {
				path = []edge{}
			}
			return path
		}
		for _, e := range c.edges[v] {
			if _, known := steps[e.to]; !known && e.kind&kinds != 0 && knot[e.to] == knot[from] {
				steps[e.to] = step{v, e}
				queue = append(queue, e.to)
			}
		}
	}
	return nil
}

// tell tells a cycle in words.
func (c *checker) tell(from int, first edge, path []edge) string {
	var b strings.Builder
	b.WriteString(c.name(from))
	for _, e := range append([]edge{first}, path...) {
		fmt.Fprintf(&b, "\n  -%v-> %s", e.kind, c.name(e.to))
	}
	return b.String()
}

// name tells a transaction in short.
func (c *checker) name(i int) string {
	t := c.txns[i]
	var ops []string
	for _, o := range t.Ops {
		switch {
		case o.Append != 0:
			ops = append(ops, fmt.Sprintf("%s+%d", o.Key, o.Append))
		case len(o.List) > 4:
			ops = append(ops, fmt.Sprintf("%s=…%v", o.Key, o.List[len(o.List)-4:]))
		default:
			ops = append(ops, fmt.Sprintf("%s=%v", o.Key, o.List))
		}
	}
	return fmt.Sprintf("client %d at %d [%s]", t.Client, t.Invoked, strings.Join(ops, " "))
}
