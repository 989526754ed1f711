package process_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/reliability/load"
)

// killedCalls counts the kills at system calls on files of the store.
type killedCalls struct {
	mu     sync.Mutex
	at     map[string]int // call and kind of file
	points int
	others int // kills at calls on other files: checked, but not counted as points
	missed int // children that made fewer such calls
	acks   uint64
}

// A process is killed as it enters a system call on a file of the store, before that does anything.
func TestKill_AtEachStorageCallLosesNothingThatWasAcknowledged(t *testing.T) {
	command(t, "strace")
	c := load.Config{Writers: 2, SyncEvery: 3, ReopenEvery: 40, Seed: tally.Seed()}
	plain := calibrate(t, c)
	var calls []string // that the store makes at all
	for _, name := range storageCalls {
		if slices.ContainsFunc(plain.calls, func(c call) bool { return c.file != "" && matches(name, c.name) }) {
			calls = append(calls, name)
		}
	}
	if len(calls) < 8 {
		t.Fatalf("the trace shows calls of %q only", calls)
	}
	k := &killedCalls{at: map[string]int{}}
	points := tally.Pick(2, 100, 400)
	t.Run("lanes", func(t *testing.T) {
		for lane := range 2 {
			t.Run(strconv.Itoa(lane), func(t *testing.T) {
				t.Parallel()
				k.lane(t, c, plain, calls, uint64(lane), points/2)
			})
		}
	})
	row := tally.Row{
		ID: "A6", Suite: "kill -9 at each storage system call", Load: "2 writers, every 3rd commit synced, the store closed and opened every 40 commits",
		Faults: int64(k.points), Unit: "kills at a call on a file of the store",
		Counts: []tally.Count{{Name: "acknowledged batches", N: int64(k.acks)}},
		Seed:   tally.Seed(), Replay: "go test -run TestKill_AtEachStorageCall ./reliability/process",
	}
	for _, name := range slices.Sorted(maps.Keys(k.at)) {
		row.Counts = append(row.Counts, tally.Count{Name: "at " + name, N: int64(k.at[name])})
	}
	row.Counts = append(row.Counts, tally.Count{Name: "more at calls on other files", N: int64(k.others)})
	row.Record(t)
	t.Logf("%d children were done before they came to the call", k.missed)
}

// lane kills children on one store after the other until so many died at a call on a file of the store.
func (k *killedCalls) lane(t *testing.T, c load.Config, plain *trace, calls []string, lane uint64, points int) {
	r := enginetest.NewRandom(c.Seed<<8 + lane)
	var oracle *load.Oracle
	for i, hit := 0, 0; hit < points; i++ {
		if i > 20*points+20 {
			t.Fatalf("only %d of %d kills hit", hit, i)
		}
		if i%4 == 0 { // a new store
			c = configIn(t, c)
			c.Seed = tally.Seed()<<16 + uint64(i)<<1 + lane
			oracle = load.NewOracle(c)
		}
		name := calls[(i+int(lane))%len(calls)]
		most := max(plain.most(name), 1)
		if r.OneIn(3) {
			most = min(most, 12) // those of an opening
		}
		nth := 1 + r.IntN(most)
		if k.point(t, c, oracle, name, nth) {
			hit++
		}
	}
}

// point runs a child that is killed at the nth call of one of its threads, and tells whether that was on a file of the store.
func (k *killedCalls) point(t *testing.T, c load.Config, oracle *load.Oracle, name string, nth int) (hit bool) {
	t.Helper()
	out := filepath.Join(filepath.Dir(c.Dir), "trace")
	c.Limit = 400
	traced := name
	if name == "munmap" || name == "madvise" {
		traced += ",mmap" // tells which file an address belongs to
	}
	child := load.Start(t, c, straced(t, out, traced, name+":signal=SIGKILL"+whenNth(nth))...)
	child.Until(func() bool { return false })
	must(t, child.Sound())
	if !child.WasKilled() {
		must(t, child.Wait())
	}
	if _, err := oracle.Check(child.AckedBy(), child.IssuedBy()); err != nil {
		t.Fatalf("seed %d, killed at call %d of %s: %v", c.Seed, nth, name, err)
	}
	died, ok := readTrace(t, out, c.Dir).nth(name, nth)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.acks += child.AcksSince()
	switch {
	case !child.WasKilled() || !ok:
		k.missed++
	case died.file == "":
		k.others++
	default:
		k.points++
		k.at[died.name+" of "+died.file]++
		return true
	}
	return false
}
