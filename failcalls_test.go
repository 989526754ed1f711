package tinykv_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// The crash model again, for systems that fail before they crash: in a small life of a store one call
// after the other is made to fail. Then, and once the store is closed, the system crashes, and what
// the store said before must hold as if nothing had failed.

// failures are the ways in which a call fails.
var failures = []struct {
	name  string
	fault simfs.Fault
}{
	{"nothing done", simfs.Fault{}},
	{"done in part", simfs.Fault{ShortBytes: 20}},
	{"done and reported as failed", simfs.Fault{ShortBytes: 1 << 40}},
	{"unsynced bytes dropped", simfs.Fault{DropDirty: true}},
	{"disk full from then on", simfs.Fault{Always: true, Err: simfs.NoSpace, Match: simfs.Kinds(simfs.OpCreate, simfs.OpExtend)}},
	{"disk dead from then on", simfs.Fault{Always: true}},
}

func TestFailed_WhicheverCallFailsTheStoreOpensToAStateItHad(t *testing.T) {
	for _, f := range failures {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			step := 1
			if testing.Short() {
				step = 3
			}
			images := 0
			for nth, fired := 1, true; fired; nth += step {
				r := newCrashRun(t, 1)
				r.open()
				fault := f.fault
				fault.Nth = nth
				injected := r.fs.FailCall(fault)
				if err := r.live(); err != nil {
					r.wantFault(err)
				}
				r.crashNow()
				if err := r.db.Close(); err == nil {
					r.synced = r.acked
				} else {
					r.wantFault(err)
				}
				r.crashNow()
				fired = injected.Fired() > 0
				images += r.images
			}
			t.Logf("%d images", images)
		})
	}
}

// live makes a store do all that it ever does, up to the first call that fails.
func (r *crashRun) live() error {
	ctx := context.Background()
	durable := func(err error) error {
		if err == nil {
			r.synced = r.acked
		}
		return err
	}
	for range 3 {
		for _, step := range []func() error{
			func() error { return r.tryCommit(r.batch(100), tinykv.NoSync) },
			func() error { return r.tryCommit(r.batch(100), tinykv.Sync) },
			func() error { return r.tryCommit(r.batch(100), tinykv.NoSync) },
			func() error { return durable(r.db.Flush(ctx)) },
			func() error { return r.tryCommit(r.batch(100), tinykv.NoSync) },
			func() error { return r.tryCommit(r.largeBatch(), tinykv.Sync) },
			func() error { return r.tryCommit(r.batch(100), tinykv.NoSync) },
			func() error { return durable(r.db.Compact(ctx, tinykv.All())) },
			func() error { return r.tryCommit(r.batch(100), tinykv.NoSync) },
		} {
			if err := step(); err != nil {
				return err
			}
		}
	}
	if r.db.Metrics().ManifestRenewals == 0 {
		r.Error("the manifest was not renewed")
	}
	return nil
}

// wantFault wants an error to say what failed.
func (r *crashRun) wantFault(err error) {
	r.Helper()
	if !errors.Is(err, simfs.IOError) && !errors.Is(err, simfs.NoSpace) {
		r.Errorf("%v: does not say what failed", err)
	}
}

// crashNow has the system crash as things are, and checks what that leaves.
func (r *crashRun) crashNow() {
	r.Helper()
	for _, policy := range simfs.Policies() {
		r.check(r.fs.Image(policy, r.seed), simfs.Crash{Seed: r.seed, Policy: policy})
	}
}
