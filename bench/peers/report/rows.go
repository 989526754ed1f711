package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// rowKey names a row: what one line of a table is about.
type rowKey struct {
	name    string
	threads int
	state   string
}

// String returns the row as lists and plots call it: "readrandom, 8 threads, settled".
func (k rowKey) String() string {
	threads := fmt.Sprintf("%d threads", k.threads)
	if k.threads == 1 {
		threads = "1 thread"
	}
	return fmt.Sprintf("%s, %s, %s", k.name, threads, k.state)
}

// group is rows that stand in one table and in one plot.
type group struct {
	title string
	file  string // of its plots
	names []string
}

// groups are all rows, in the order of tables. What is in none is put into the last, so that nothing is left out.
func groups() []group {
	return []group{
		{"Writes", "writes", []string{"fillseq", "fillrandom", "fillbatch", "fillsync", "overwrite", "deleterandom"}},
		{"Reads", "reads", []string{"readrandom", "readmissing", "readhot", "multiget"}},
		{"Scans", "scans", []string{"readseq", "readreverse", "seekrandom"}},
		{"Mixed", "mixed", []string{"readwhilewriting"}},
		{"YCSB", "ycsb", []string{"ycsba", "ycsbb", "ycsbc", "ycsbd", "ycsbe", "ycsbf"}},
		{"Open and kill", "open", []string{"close", "open", "openkilled", killRow}},
		{"Others", "others", nil},
	}
}

// killRow has no speed: it counts what was lost.
const killRow = "kill"

// hasSpeed tells whether a row is about speed.
func hasSpeed(k rowKey) bool { return k.name != killRow }

// syncRow makes every engine wait for stable storage, whatever its durability otherwise.
const syncRow = "fillsync"

// place returns the group of a row and its place there.
func place(name string) (groupIndex, i int) {
	all := groups()
	for g := range all {
		if i := slices.Index(all[g].names, name); i >= 0 {
			return g, i
		}
	}
	return len(all) - 1, 0
}

// compareRows orders rows by group, place there, state and threads; the filled state comes before the settled.
func compareRows(a, b rowKey) int {
	ga, ia := place(a.name)
	gb, ib := place(b.name)
	return cmp.Or(cmp.Compare(ga, gb), cmp.Compare(ia, ib), cmp.Compare(a.name, b.name),
		cmp.Compare(a.state, b.state), cmp.Compare(a.threads, b.threads))
}

// writes tells whether durability matters to a row.
func writes(name string) bool {
	switch name {
	case "overwrite", "deleterandom", "readwhilewriting", "ycsba", "ycsbb", "ycsbd", "ycsbe", "ycsbf", killRow:
		return true
	}
	return strings.HasPrefix(name, "fill")
}

// engineOrder is that of columns and colours; engines that are not here follow by name.
func engineOrder() []string {
	return []string{self, "pebble", "badger", "goleveldb", "bbolt", "lmdb", "rocksdb"}
}

// self is the engine that the others are compared with.
const self = "tinykv"

// compareEngines orders engines.
func compareEngines(a, b string) int {
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
}

// rank returns the place of an engine, those that are not known behind all others.
func rank(engine string) int {
	if i := slices.Index(engineOrder(), engine); i >= 0 {
		return i
	}
	return len(engineOrder())
}
