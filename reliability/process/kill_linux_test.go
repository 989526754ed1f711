package process_test

import (
	"sync"
	"testing"
	"time"

	"github.com/tinykv/tinykv/internal/enginetest"
	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/reliability/load"
)

// killLoads are what runs while it is killed.
var killLoads = []struct {
	name   string
	config load.Config
}{
	{"one writer, all synced", load.Config{Writers: 1, SyncEvery: 1}},
	{"one writer, a seventh synced", load.Config{Writers: 1, SyncEvery: 7}},
	{"four writers, a seventh synced", load.Config{Writers: 4, SyncEvery: 7}},
	{"four writers, none synced, no mapping of tables", load.Config{Writers: 4, MapOff: true}},
}

// moment is when a child is killed. It returns false if the child ended before.
type moment struct {
	name  string
	state load.State // that the child is most likely in
	await func(c *load.Child, r enginetest.Random) bool
}

// A moment comes up as often as it stands here.
var moments = []moment{justAcknowledged, whileWriting, whileRecovering, justAcknowledged, whileWriting, whileClosing}

// justAcknowledged is when the child kills itself, see load.Config.DieAfter.
var justAcknowledged = moment{"having just acknowledged", load.Writing, func(c *load.Child, _ enginetest.Random) bool {
	c.Until(c.HasEnded)
	return c.WasKilled()
}}

var whileWriting = moment{"writing", load.Writing, func(c *load.Child, r enginetest.Random) bool {
	goal := c.Acks() + uint64(50+r.IntN(200))
	if !c.Until(func() bool { return c.Acks() >= goal }) {
		return false
	}
	spin(time.Duration(r.IntN(2000)) * time.Microsecond)
	return true
}}

var whileRecovering = moment{"recovering", load.Opening, func(c *load.Child, r enginetest.Random) bool {
	if !c.UntilState(load.Opening) {
		return false
	}
	spin(time.Duration(r.IntN(6000)) * time.Microsecond)
	return true
}}

var whileClosing = moment{"closing", load.Closing, func(c *load.Child, r enginetest.Random) bool {
	if !c.UntilState(load.Closing) {
		return false
	}
	spin(time.Duration(r.IntN(6000)) * time.Microsecond)
	return true
}}

// killed counts what kills did.
type killed struct {
	mu     sync.Mutex
	kills  int
	states map[load.State]int
	acks   uint64
}

// Promise 1 of docs/GUARANTEES.md, for the death of the process.
func TestKill_AtAnyTimeLosesNothingThatWasAcknowledged(t *testing.T) {
	total := tally.Pick(8, 200, 1000)
	counts := &killed{states: map[load.State]int{}}
	t.Run("loads", func(t *testing.T) {
		for i, l := range killLoads {
			t.Run(l.name, func(t *testing.T) {
				t.Parallel()
				c := configIn(t, l.config)
				c.Seed = tally.Seed() + uint64(i)
				counts.lives(t, c, total/len(killLoads))
			})
		}
	})
	if want := total * 100; counts.acks < uint64(want) && !t.Failed() {
		t.Errorf("%d acknowledged commits, want %d", counts.acks, want)
	}
	tally.Row{
		ID: "A5", Suite: "kill -9 at random times", Load: "1 and 4 writers, every, every 7th and no commit synced; while writing, recovering, closing",
		Faults: int64(counts.kills), Unit: "kills",
		Counts: []tally.Count{
			{Name: "acknowledged batches", N: int64(counts.acks)},
			{Name: "killed while writing", N: int64(counts.states[load.Writing])},
			{Name: "killed in Open", N: int64(counts.states[load.Opening])},
			{Name: "killed in Close", N: int64(counts.states[load.Closing])},
		},
		Seed: tally.Seed(), Replay: "go test -run TestKill_AtAnyTime ./reliability/process",
	}.Record(t)
}

// lives kills children on one store and checks in between.
func (k *killed) lives(t *testing.T, c load.Config, kills int) {
	r, oracle := enginetest.NewRandom(c.Seed), load.NewOracle(c)
	var child *load.Child
	for i := range kills {
		when := moments[i%len(moments)]
		config := c
		if when.state == load.Closing {
			config.ReopenEvery = 20 + r.IntN(60)
		}
		if when.name == justAcknowledged.name {
			config.DieAfter = 50 + r.Uint64N(200)
		}
		if when.state == load.Opening && (child == nil || child.State() == load.Opening) { // let there be something to recover
			k.life(t, c, whileWriting, r)
		}
		child = k.life(t, config, when, r)
		if i+1 < kills && moments[(i+1)%len(moments)].state == load.Opening {
			continue // the next child recovers
		}
		if _, err := oracle.Check(child.AckedBy(), child.IssuedBy()); err != nil {
			t.Fatalf("seed %d, kill %d, while %s: %v", c.Seed, i, when.name, err)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.acks += child.Acks()
}

// life runs a child until its moment has come.
func (k *killed) life(t *testing.T, c load.Config, when moment, r enginetest.Random) *load.Child {
	t.Helper()
	child := load.Start(t, c)
	if !when.await(child, r) {
		t.Fatalf("the child ended: %v", child.Wait())
	}
	child.Kill()
	must(t, child.Sound())
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kills++
	k.states[child.State()]++
	return child
}
