// Package workload is what the engines are measured by: keys, values, and rows, which do one kind of thing by one or several
// threads. It knows engines by their interface only.
package workload

import (
	"slices"
	"time"

	"github.com/tinykv/tinykv/bench/internal/draw"
)

// Row is one kind of thing to do.
type Row struct {
	Name  string
	About string

	// Fill says that the store is empty before, and that waiting until it is at rest belongs to the row.
	Fill bool

	// Sync says that the store is opened so that each write waits for stable storage.
	Sync bool

	// Scales says that it is measured by several numbers of threads.
	Scales bool

	// Writes says that the store has work to do afterwards.
	Writes bool

	every  uint64                    // one call in so many is timed
	share  uint64                    // of the operations that others do, one in so many; 0: all
	timed  bool                      // ends by time, not by a number of operations
	draws  func(*Bench) draw.Numbers // of ids; nil: all alike
	loop   func(*worker) error
	beside func(*worker) error // of one more thread
	mixed  bool                // has latencies of writes apart
}

// How often calls are timed: reading the clock takes some 50 ns.
const (
	everyCall = 1
	someCalls = 16
	fewCalls  = 256
)

// Rows returns all rows, in the order in which they may follow one another: those that delete come last.
func Rows() []Row {
	return slices.Concat(scaling(fills()), scaling(reads()), scans(), scaling(changes()), mixtures(), scaling(deletions()))
}

func scaling(rows []Row) []Row {
	for i := range rows {
		rows[i].Scales = rows[i].Name != "multiget"
	}
	return rows
}

// Find returns a row by its name.
func Find(name string) (Row, bool) {
	all := Rows()
	i := slices.IndexFunc(all, func(r Row) bool { return r.Name == name })
	if i < 0 {
		return Row{}, false
	}
	return all[i], true
}

func fills() []Row {
	return []Row{
		{Name: "fillseq", About: "write all keys in ascending order", Fill: true, every: someCalls, loop: fillInOrder},
		{Name: "fillrandom", About: "write all keys in random order", Fill: true, every: someCalls, loop: fillShuffled},
		{Name: "fillbatch", About: "write all keys in random order, 1000 in an atomic batch", Fill: true, every: everyCall, loop: fillBatches},
		{Name: "fillsync", About: "write one key in 200, each on stable storage before the next", Fill: true, Sync: true, every: everyCall, share: 200, loop: fillShuffled},
	}
}

func reads() []Row {
	return []Row{
		{Name: "readrandom", About: "read random keys", timed: true, every: someCalls, loop: readRandom},
		{Name: "readmissing", About: "read absent keys that lie between those there", timed: true, every: someCalls, loop: readMissing},
		{Name: "readhot", About: "read random keys of the first hundredth", timed: true, every: someCalls, draws: hot, loop: readRandom},
		{Name: "multiget", About: "read 32 random keys at once; a key is an operation", timed: true, every: everyCall, loop: multiGet},
	}
}

func scans() []Row {
	return []Row{
		{Name: "readseq", About: "go over all keys and values forward, again and again", timed: true, every: fewCalls, loop: readForward},
		{Name: "readreverse", About: "go over all keys and values backward, again and again", timed: true, every: fewCalls, loop: readBackward},
		{Name: "seekrandom", About: "a new iterator, a seek to a random key, its value", timed: true, every: someCalls, loop: seekRandom},
	}
}

func changes() []Row {
	return []Row{
		{Name: "overwrite", About: "write random keys that are there", Writes: true, every: someCalls, loop: overwrite},
	}
}

func mixtures() []Row {
	all := []Row{
		{Name: "readwhilewriting", About: "as readrandom, while one more thread overwrites", loop: readRandom, beside: overwrite},
		{Name: "ycsba", About: "YCSB A: 50 % reads, 50 % updates, zipfian", draws: zipfian, loop: ycsbA},
		{Name: "ycsbb", About: "YCSB B: 95 % reads, 5 % updates, zipfian", draws: zipfian, loop: ycsbB},
		{Name: "ycsbc", About: "YCSB C: reads, zipfian", draws: zipfian, loop: ycsbC},
		{Name: "ycsbf", About: "YCSB F: 50 % reads, 50 % reads followed by an update, zipfian", draws: zipfian, loop: ycsbF},
		{Name: "ycsbd", About: "YCSB D: 95 % reads, mostly of the latest, 5 % inserts", draws: latest, loop: ycsbD},
		{Name: "ycsbe", About: "YCSB E: 95 % scans of 1 to 100 entries, 5 % inserts, zipfian", draws: zipfian, loop: ycsbE},
	}
	for i := range all {
		all[i].timed, all[i].every, all[i].mixed = true, someCalls, all[i].beside == nil
		all[i].Scales, all[i].Writes = all[i].beside != nil, all[i].Name != "ycsbc"
	}
	return all
}

func deletions() []Row {
	return []Row{
		{Name: "deleterandom", About: "delete random keys, a quarter as many as there are", Writes: true, every: someCalls, share: 4, loop: deleteRandom},
	}
}

// Limits bound how long a row takes.
type Limits struct {
	Writes time.Duration // after which a row that writes so many keys is cut off
	Reads  time.Duration // how long a row runs that ends by time
}
