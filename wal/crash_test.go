package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/vfs/simfs"
)

// workload returns a random script of n calls.
func workload(rng *rand.Rand, n int) []string {
	calls := make([]string, 0, n)
	for i := range n {
		var call string
		switch rng.IntN(14) {
		case 0:
			call = "rotate"
		case 1:
			call = "prepare"
		case 2:
			call = fmt.Sprintf("keep %d", rng.IntN(2))
		case 3, 4:
			call = "syncer"
		case 5, 6, 7:
			call = "sync"
		case 8:
			call = fmt.Sprintf("put %d.*%d", i, 1000+rng.IntN(40_000)) // a segment of its own
		default:
			call = fmt.Sprintf("put %d.a %d.b*%d", i, i, 20+rng.IntN(400))
		}
		if strings.HasPrefix(call, "put") {
			call += "; flush"
			if rng.IntN(3) == 0 {
				call = strings.Replace(call, "flush", "sync", 1)
			}
		}
		calls = append(calls, strings.Split(call, ";")...)
	}
	return calls
}

// checkImage wants what is recovered to be what was written from the first segment on, up to some
// record that is at or behind the last one acknowledged.
func (j *journal) checkImage(image *simfs.FS, acknowledged int) error {
	names, _, err := j.recover(image)
	if err != nil {
		return fmt.Errorf("after %q: %w", names, err)
	}
	from := 0
	for from < len(j.records) && j.records[from].segment < j.first {
		from++
	}
	for i, name := range names {
		if from+i >= len(j.records) || j.records[from+i].name != name {
			return fmt.Errorf("record %d is %s; recovered are %q", i, name, names)
		}
	}
	if got := from + len(names); got < acknowledged {
		return fmt.Errorf("recovered are %d records, %d were acknowledged", got, acknowledged)
	}
	return nil
}

// checkCrashes takes images of the present moment under all policies and checks each.
func (j *journal) checkCrashes(op simfs.Op, seed uint64, limit int) (images int) {
	for _, policy := range simfs.Policies() {
		acknowledged := j.synced
		if policy == simfs.KillProcess {
			acknowledged = j.flushed
		}
		for label, image := range j.sim.Images(policy, seed, limit) {
			images++
			if err := j.checkImage(image, acknowledged); err != nil {
				j.t.Fatalf("%v: %v", simfs.Crash{Seed: seed, Op: op, Policy: policy, Label: label}, err)
			}
		}
	}
	return images
}

func TestLog_EveryCrashLeavesAPrefixWithAllThatWasAcknowledged(t *testing.T) {
	images := 0
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 0))
		j := blank(t, simfs.New(), dir)
		j.opts.FirstSegmentBytes, j.opts.MaxSegmentBytes = 1024, 4096
		j.sim.SetHook(func(op simfs.Op) { images += j.checkCrashes(op, seed, 3) })
		j.create()
		for _, call := range workload(rng, 60) {
			must(t, j.try(call))
		}
		j.sim.SetHook(nil)
		must(t, j.log.Close())
	}
	t.Logf("%d images", images)
}

func TestLog_EveryFailingCallLeavesAPrefixWithAllThatWasAcknowledged(t *testing.T) {
	const seed = 9
	images := 0
	for _, fault := range []simfs.Fault{
		{},
		{ShortBytes: 1 << 40}, // the work is done, and a failure reported all the same
		{DropDirty: true},
		{ShortBytes: 20},
		{Always: true, Err: simfs.NoSpace, Match: simfs.Kinds(simfs.OpCreate, simfs.OpExtend)},
		{Always: true, DropDirty: true},
	} {
		for nth := 1; ; nth++ {
			j := blank(t, simfs.New(), dir)
			j.opts.FirstSegmentBytes, j.opts.MaxSegmentBytes = 1024, 4096
			j.create()
			fault.Nth = nth
			injected := j.sim.FailCall(fault)
			failed := false
			for _, call := range workload(rand.New(rand.NewPCG(seed, 0)), 40) {
				err := j.try(call)
				if err != nil && !errors.Is(err, simfs.IOError) && !errors.Is(err, simfs.NoSpace) {
					t.Fatalf("fault %+v, %s: %v", fault, call, err)
				}
				if j.log.Err() != nil && err == nil {
					t.Fatalf("fault %+v: %s succeeds after %v", fault, call, j.log.Err())
				}
				if first := err != nil && !failed; first {
					failed = true
					images += j.checkCrashes(simfs.Op{}, uint64(nth), 2)
				}
			}
			images += j.checkCrashes(simfs.Op{}, uint64(nth), 2)
			if injected.Fired() == 0 {
				break
			}
		}
	}
	t.Logf("%d images", images)
}
