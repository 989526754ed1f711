package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/tinykv/tinykv/bench/peers/record"
)

// rival is a made-up engine of the sample: how long it takes for each kind of work, tinykv taking 1.
type rival struct {
	name, durability              string
	write, read, scan, sync, heap float64
}

// sampleEngines are seven engines that have the strengths and weaknesses that one would expect.
func sampleEngines() []rival {
	const process, nothing, power = "the death of the process", "nothing until the next sync", "the death of the process and power loss"
	return []rival{
		{"tinykv", process, 1, 1, 1, 1, 0},
		{"pebble", process, 1.7, 2.3, 1.4, 1.1, 0.1},
		{"badger", process, 2.9, 3.1, 4.2, 1.6, 12},
		{"goleveldb", process, 4.4, 5.2, 2.2, 1.2, 6},
		{"bbolt", power, 31, 1.1, 0.8, 2.8, 9},
		{"lmdb", nothing, 8.1, 0.6, 0.35, 1.9, 0},
		{"rocksdb", process, 1.5, 1.9, 1.2, 0.93, 0},
	}
}

// sampleHead is the head of a made-up run.
func sampleHead(profile string) record.Line {
	run := &record.Run{
		Commit: "0123abcd", Started: time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC),
		Command: "run -profile " + profile + " -n 10000000 -reps 3 -out results.jsonl", Profile: profile,
		Entries: 10_000_000, ValueBytes: 100, Reps: 3, Seed: 7, MemoryLimit: 2 << 30,
		Machine: []record.Fact{{Name: "processor", Text: "made-up, 2 cores"}, {Name: "file system", Text: "ext4"}},
		Limits:  []record.Fact{{Name: "sequential write", Text: "410 MiB/s"}, {Name: "fdatasync of 4 KiB", Text: "812 µs"}},
	}
	for i, e := range sampleEngines() {
		run.Engines = append(run.Engines, record.Engine{
			Name: e.name, Version: fmt.Sprintf("v%d.0.0", i+1), Durability: e.durability,
			Settings: "memtable 64 MiB, cache 256 MiB, 10 filter bits per key, no compression, no sync per write",
		})
	}
	return record.Line{Run: run}
}

// work is a made-up row: microseconds of tinykv, and which of a rival's factors counts.
type work struct {
	name    string
	micros  float64
	factor  func(rival) float64
	threads []int
	states  []string
}

// sampleRows are all rows there are.
func sampleRows() []work {
	write := func(e rival) float64 { return e.write }
	read := func(e rival) float64 { return e.read }
	scan := func(e rival) float64 { return e.scan }
	mixed := func(e rival) float64 { return math.Sqrt(e.read * e.write) }
	three, one := []int{1, 2, 8}, []int{1}
	empty, settled, both := []string{"empty"}, []string{"settled"}, []string{"filled", "settled"}
	return []work{
		{"fillseq", 0.9, write, three, empty},
		{"fillrandom", 1.4, write, three, empty},
		{"fillbatch", 0.6, write, three, empty},
		{"fillsync", 850, func(e rival) float64 { return e.sync }, three, empty},
		{"overwrite", 1.6, write, three, settled},
		{"deleterandom", 1.2, write, three, settled},
		{"readrandom", 1.1, read, three, both},
		{"readmissing", 0.3, read, three, settled},
		{"readhot", 0.5, read, three, settled},
		{"multiget", 0.8, read, one, settled},
		{"readseq", 0.05, scan, one, settled},
		{"readreverse", 0.06, scan, one, settled},
		{"seekrandom", 2.2, scan, one, both},
		{"readwhilewriting", 1.5, mixed, three, settled},
		{"ycsba", 2, mixed, three, settled},
		{"ycsbb", 1.5, read, three, settled},
		{"ycsbc", 1.1, read, three, settled},
		{"ycsbd", 0.7, read, three, settled},
		{"ycsbe", 9, scan, three, settled},
		{"ycsbf", 2.4, mixed, three, settled},
		{"open", 4100, mixed, one, settled},
		{"openkilled", 52000, mixed, one, settled},
		{"kill", 0, nil, one, settled},
	}
}

// sampleLines are a run of all engines and rows, always the same for a seed.
func sampleLines(profile string, seed uint64) []record.Line {
	rng := rand.New(rand.NewPCG(seed, 0))
	lines := []record.Line{sampleHead(profile)}
	for rep := range 3 {
		for turn, e := range sampleEngines() {
			for _, w := range sampleRows() {
				for _, state := range w.states {
					for _, threads := range w.threads {
						row := sampleRow(rng, e, w, threads)
						row.State, row.Rep, row.Turn = state, rep, turn
						lines = append(lines, record.Line{Row: row})
					}
				}
			}
		}
	}
	return lines
}

// sampleRow is what an engine did in a row.
func sampleRow(rng *rand.Rand, e rival, w work, threads int) *record.Row {
	row := &record.Row{Engine: e.name, Name: w.name, Threads: threads}
	switch {
	case e.name == "rocksdb" && w.name == "ycsbe":
		row.Err = "db_bench has no such workload"
		return row
	case w.name == killRow:
		row.Acknowledged = 120_000
		if e.name == "lmdb" {
			row.Lost = 311
		}
		return row
	}
	mean := w.micros * w.factor(e) * (1 + 0.06*rng.Float64()) * math.Sqrt(float64(threads))
	row.Ops = 1_000_000
	row.Mean = mean
	row.Seconds = mean * float64(row.Ops) / 1e6 / float64(threads)
	if row.Seconds > 60 {
		row.CutOff, row.Ops, row.Seconds = true, uint64(float64(row.Ops)*60/row.Seconds), 60
	}
	row.TimedEvery, row.P50, row.P99, row.P999, row.Max = 16, mean*0.8, mean*4, mean*11*(1+rng.Float64()), mean*300
	row.Allocs, row.AllocBytes = e.heap, e.heap*40
	row.CPUSeconds = row.Seconds * 1.2
	row.AnonBytes, row.MappedBytes = int64(300+40*e.write)<<20, int64(90*e.read)<<20
	row.DiskBytes = 1 << 30
	if writes(w.name) {
		row.PutBytes = int64(row.Ops) * 116
		row.WrittenBytes = int64(float64(row.PutBytes) * (1 + e.write))
	}
	if w.states[0] == record.StateEmpty {
		row.SettleSeconds, row.SettledBytes = row.Seconds/4*e.read, row.PutBytes*11/10
		row.ZeroedBytes = row.PutBytes / 20
	}
	if w.name == "readwhilewriting" {
		row.BesideOps = 40_000
	}
	return row
}
