package process_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/reliability/load"
)

// memoryGroups are where the memory controller may be: of control groups version 2, and of version 1.
var memoryGroups = []struct{ top, sign, limit, events string }{
	{"/sys/fs/cgroup", "cgroup.controllers", "memory.max", "memory.events"},
	{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.limit_in_bytes", "memory.oom_control"},
}

// group is a control group of limited memory.
type group struct{ dir, events string }

// limitMemory makes a group, and skips the test where that cannot be done.
func limitMemory(t *testing.T, limit int64) group {
	t.Helper()
	for _, m := range memoryGroups {
		if _, err := os.Stat(filepath.Join(m.top, m.sign)); err != nil {
			continue
		}
		dir, err := os.MkdirTemp(m.top, "tinykv-")
		if err != nil {
			t.Skipf("memory cannot be limited here: %v", err)
		}
		t.Cleanup(func() { _ = os.Remove(dir) }) // after all that is in it has ended
		if err := os.WriteFile(filepath.Join(dir, m.limit), fmt.Append(nil, limit), 0); err != nil {
			t.Skipf("memory cannot be limited here: %v", err)
		}
		return group{dir, filepath.Join(dir, m.events)}
	}
	t.Skip("memory cannot be limited here: there is no memory controller")
	return group{}
}

// joined returns the command that joins the group and becomes the one behind it.
func (g group) joined() []string {
	return []string{"sh", "-c", `echo $$ > "$0" && exec "$@"`, filepath.Join(g.dir, "cgroup.procs")}
}

// kills returns how often the system has killed a process of the group for want of memory.
func (g group) kills(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(g.events)
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(rest))
			must(t, err)
			return n
		}
	}
	t.Fatalf("%s does not tell of kills", g.events)
	return 0
}

// bigEnv is where the child with the large store finds what to do.
const bigEnv = "TINYKV_BIG"

// bigJob is a store that does not fit into memory.
type bigJob struct {
	Dir          string
	Keys         int
	MemoryBudget int64
	Seed         uint64
}

// bigResult is what the child did.
type bigResult struct {
	Writes, Gets, Scanned int64
	PeakAnonBytes         int64
	Err                   string
}

const bigValue = 1000

// runIfBig does the work of the child, if this is it.
func runIfBig() {
	text, ok := os.LookupEnv(bigEnv)
	if !ok {
		return
	}
	var job bigJob
	var r bigResult
	err := json.Unmarshal([]byte(text), &job)
	if err == nil {
		err = job.run(&r)
	}
	if err != nil {
		r.Err = err.Error()
	}
	_ = json.NewEncoder(os.Stdout).Encode(r)
	os.Exit(0)
}

// key returns a key; i counts up in an order that has nothing to do with that of keys.
func (j bigJob) key(i int) []byte {
	return binary.BigEndian.AppendUint64([]byte("key "), uint64(i)*0x9e3779b97f4a7c15)
}

// value returns a value, which cannot be compressed.
func (j bigJob) value(i, version int) []byte {
	r := enginetest.NewRandom(j.Seed ^ uint64(i)<<8 ^ uint64(version))
	v := make([]byte, 0, bigValue+8)
	for len(v) < bigValue {
		v = binary.LittleEndian.AppendUint64(v, r.Uint64())
	}
	return v
}

// version returns which value a key has at the end: some were overwritten, some deleted (-1).
func (j bigJob) version(i int) int {
	switch i % 10 {
	case 3, 7:
		return 1
	case 5:
		return -1
	}
	return 0
}

// run fills the store, changes a third of it, and reads it in every order.
func (j bigJob) run(r *bigResult) error {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		r.PeakAnonBytes = peakAnon(stop)
	}()
	defer func() { close(stop); <-stopped }()
	db, err := tinykv.Open(j.Dir, &tinykv.Options{MemoryBudget: j.MemoryBudget})
	if err != nil {
		return err
	}
	for i := range j.Keys {
		if err := db.Put(j.key(i), j.value(i, 0)); err != nil {
			return err
		}
		r.Writes++
	}
	for i := range j.Keys {
		switch version := j.version(i); {
		case version > 0:
			err = db.Put(j.key(i), j.value(i, version))
		case version < 0:
			err = db.Delete(j.key(i))
		default:
			continue
		}
		if err != nil {
			return err
		}
		r.Writes++
	}
	return errors.Join(j.read(db, r), db.Close())
}

// read wants Get of keys in no order, and scans in both directions, to show what was written.
func (j bigJob) read(db *tinykv.DB, r *bigResult) error {
	want := 0
	for i := range j.Keys {
		if j.version(i) >= 0 {
			want++
		}
		if i%4 != 0 {
			continue
		}
		v, err := db.Get(j.key(i))
		if version := j.version(i); version < 0 && !errors.Is(err, tinykv.ErrNotFound) || version >= 0 && !bytes.Equal(v, j.value(i, version)) {
			return fmt.Errorf("get %d: %.16x, %w", i, v, err)
		}
		r.Gets++
	}
	for _, opts := range [][]tinykv.ScanOption{nil, {tinykv.Reverse}} {
		n := 0
		for _, err := range db.Scan(tinykv.All(), opts...) {
			if err != nil {
				return err
			}
			n++
		}
		if n != want {
			return fmt.Errorf("a scan shows %d keys, want %d", n, want)
		}
		r.Scanned += int64(n)
	}
	report, err := db.Verify(context.Background(), nil)
	if err != nil {
		return err
	}
	return report.Err()
}

// peakAnon looks at the anonymous memory of this process until it is told to stop, and returns the most that it saw.
func peakAnon(stop <-chan struct{}) (most int64) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		text, _ := os.ReadFile("/proc/self/status")
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
				n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
				most = max(most, n<<10)
			}
		}
		select {
		case <-stop:
			return most
		case <-ticker.C:
		}
	}
}

// A store of four times the memory that the process may use is written and read as any other, in the memory that it was given.
func TestMemory_AStoreLargerThanItIsWrittenAndRead(t *testing.T) {
	t.Parallel()
	const limit = 128 << 20
	g := limitMemory(t, limit)
	job := bigJob{
		Dir: filepath.Join(t.TempDir(), "store"), MemoryBudget: limit / 8, Seed: tally.Seed(),
		Keys: tally.Pick(limit/8, 2*limit, 4*limit) / bigValue, // a quick run is smaller than memory
	}
	text, err := json.Marshal(job)
	must(t, err)
	self, err := os.Executable()
	must(t, err)
	command := append(g.joined(), self)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), bigEnv+"="+string(text))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the child: %v\n%s", err, &stderr)
	}
	var r bigResult
	must(t, json.Unmarshal(out, &r))
	if r.Err != "" {
		t.Error(r.Err)
	}
	// The bound is that of the limit less what mapped pages need to be of use: what is wanted here is that memory does not grow with
	// the store. How near it comes to the budget stands in the row.
	if most := int64(limit * 3 / 4); r.PeakAnonBytes > most {
		t.Errorf("%d bytes of anonymous memory, want at most %d", r.PeakAnonBytes, most)
	}
	tally.Row{
		ID: "A16", Suite: "larger than memory", Load: fmt.Sprintf("%d MiB of data in %d MiB of memory, filled, changed, read in every order", int64(job.Keys)*bigValue>>20, limit>>20),
		Faults: 1, Unit: "stores", Seed: tally.Seed(), Replay: "go test -run TestMemory ./reliability/process",
		Counts: []tally.Count{
			{Name: "writes", N: r.Writes},
			{Name: "gets", N: r.Gets},
			{Name: "entries scanned", N: r.Scanned},
			{Name: "MiB of MemoryBudget", N: job.MemoryBudget >> 20},
			{Name: "MiB of anonymous memory at most", N: r.PeakAnonBytes >> 20},
		},
	}.Record(t)
}

// A process that the system kills for want of memory leaves what any other kill does.
func TestMemory_AKillForWantOfItLosesNothing(t *testing.T) {
	t.Parallel()
	const limit = 48 << 20
	g := limitMemory(t, limit)
	c := configIn(t, load.Config{Writers: 2, SyncEvery: 5, Balloon: true, Seed: tally.Seed()})
	oracle := load.NewOracle(c)
	kills := tally.Pick(1, 5, 20)
	acks := uint64(0)
	for i := range kills {
		child := load.Start(t, c, g.joined()...)
		child.Until(func() bool { return false })
		must(t, child.Sound())
		if n := g.kills(t); !child.WasKilled() || n != i+1 {
			t.Fatalf("%d of %d children were killed for want of memory: %v", n, i+1, child.Wait())
		}
		if _, err := oracle.Check(child.AckedBy(), child.IssuedBy()); err != nil {
			t.Fatalf("seed %d, kill %d: %v", c.Seed, i, err)
		}
		acks = child.Acks()
	}
	tally.Row{
		ID: "A16", Suite: "kills for want of memory", Load: fmt.Sprintf("2 writers, every 5th commit synced, %d MiB of memory", limit>>20),
		Faults: int64(kills), Unit: "kills", Counts: []tally.Count{{Name: "acknowledged batches", N: int64(acks)}},
		Seed: tally.Seed(), Replay: "go test -run TestMemory ./reliability/process",
	}.Record(t)
}
