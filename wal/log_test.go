package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// trace runs a script and returns the operations it made, one per line.
func (j *journal) trace(script string) string {
	j.t.Helper()
	from := j.sim.Ops()
	j.run(script)
	var lines []string
	for _, op := range j.sim.Trace()[from:] {
		_, line, _ := strings.Cut(op.String(), " ")
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

func TestCreate_MakesTheFirstSegmentDurable(t *testing.T) {
	j := blank(t, simfs.New(), dir)
	same(t, j.create().trace(""), "")
	var ops []string
	for _, op := range j.sim.Trace()[1:] {
		_, line, _ := strings.Cut(op.String(), " ")
		ops = append(ops, line)
	}
	same(t, strings.Join(ops, "; "),
		"create 000001.wal; extend 000001.wal off=0 n=4096; sync 000001.wal; dirsync db; write 000001.wal off=0 n=128; sync 000001.wal")
	if len(j.sim.Unsynced()) != 0 {
		t.Errorf("unsynced:\n%v", j.sim.Unsynced())
	}
}

func TestFlush_WritesEachChunkByItselfUnlessASyncFollows(t *testing.T) {
	j := begin(t, "")
	same(t, j.trace("put a b; flush"), "write 000001.wal off=128 n=17; write 000001.wal off=145 n=17")
	same(t, j.trace("put c d; sync"), "write 000001.wal off=162 n=34; sync 000001.wal")
	same(t, j.trace("flush; sync; syncer"), "")
}

func TestSync_GoesFromTheOldestSegmentToTheNewest(t *testing.T) {
	j := begin(t, "put a; flush; rotate; put b; flush; rotate; put c; flush")
	same(t, j.trace("syncer"), "sync 000001.wal; sync 000002.wal; sync 000003.wal")
	same(t, j.trace("put d; sync"), "write 000003.wal off=145 n=17; sync 000003.wal")
}

func TestSync_MakesTheHeaderOfAnEmptySegmentDurable(t *testing.T) {
	j := begin(t, "put a; sync; rotate")
	same(t, j.trace("syncer"), "sync 000002.wal")
	same(t, fmt.Sprint(j.log.Vouched()), "segment 2 offset 128")
}

func TestSyncedMark_IsThatOfTheLastDurableRecord(t *testing.T) {
	j := blank(t, simfs.New(), dir)
	j.opts.Mark = 0
	j.create()
	for _, c := range []struct {
		script string
		want   uint64
	}{
		{"", 0},
		{"put a", 0},
		{"flush", 0},
		{"syncer", 1},
		{"put b c; sync", 3},
		{"put d; flush", 3},
		{"rotate", 3},
		{"syncer", 4},
		{"rotate; syncer", 4},
	} {
		if j.run(c.script); j.log.SyncedMark() != c.want {
			t.Errorf("after %q: %d, want %d", c.script, j.log.SyncedMark(), c.want)
		}
	}
}

func TestSyncedMark_OfANewLogIsTheMarkBeforeIt(t *testing.T) {
	j := blank(t, simfs.New(), dir)
	j.opts.Mark = 41
	if got := j.create().log.SyncedMark(); got != 41 {
		t.Errorf("%d, want 41", got)
	}
}

func TestVouched_FollowsTheSyncs(t *testing.T) {
	j := begin(t, "")
	for _, c := range []struct{ script, want string }{
		{"", "segment 1 offset 128"},
		{"put a; flush", "segment 1 offset 128"},
		{"syncer", "segment 1 offset 145"},
		{"rotate; put b", "segment 1 offset 145"},
		{"sync", "segment 2 offset 145"},
	} {
		j.run(c.script)
		same(t, fmt.Sprint(j.log.Vouched()), c.want)
	}
}

// A record that comes while the disk is at work is for the next sync, whose business it then is.
func TestSync_CoversWhatWasFlushedBeforeItAndNoMore(t *testing.T) {
	j := begin(t, "put a; flush")
	syncs := 0
	j.sim.SetHook(func(op simfs.Op) {
		if op.Kind != simfs.OpSync {
			return
		}
		if syncs++; syncs == 1 {
			j.run("put b; flush")
		}
	})
	for _, c := range []struct {
		mark     uint64
		vouched  string
		powerCut string
	}{
		{1, "segment 1 offset 145", "a"},
		{2, "segment 1 offset 162", "a b"},
	} {
		must(t, j.log.Sync())
		if got := j.log.SyncedMark(); got != c.mark {
			t.Errorf("mark %d, want %d", got, c.mark)
		}
		same(t, fmt.Sprint(j.log.Vouched()), c.vouched)
		same(t, j.after(simfs.DropAll), c.powerCut)
	}
}

func TestRecords_CarryAVouchedPositionFromTheFirstOn(t *testing.T) {
	j := begin(t, "put a; sync; put b; flush; rotate; put c; sync")
	for _, n := range []SegmentNum{1, 2} {
		data, err := readAll(j.fs, segmentPath(t, j.fs, n))
		must(t, err)
		h, err := decodeHeader(data[:headerLen], PurposeLog, testStore)
		must(t, err)
		in := &scanner{header: h, data: data}
		for c := range in.intactFrom(headerLen) {
			if c.vouched.Offset == 0 {
				t.Errorf("record %q of segment %d vouches for nothing", c.payload, n)
			}
		}
	}
}

func TestReserve_NeverLetsAppendOverflow(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 0))
		j := blank(t, vfs.NewMem(), dir)
		j.opts.FirstSegmentBytes, j.opts.MaxSegmentBytes = 4096+rng.Int64N(100_000), 40_000+rng.Int64N(100_000)
		j.create()
		var want []string
		for i := range 60 {
			n, total := 1+rng.IntN(5), 0
			var group [][]byte
			for k := range n {
				size := rng.IntN(1 + rng.IntN(60_000))
				if rng.IntN(3) == 0 {
					size = max(0, int(blockEnd(j.log.current.end)-j.log.current.end)-2*chunkHeaderLen+rng.IntN(3*chunkHeaderLen))
				}
				name := fmt.Sprintf("%d.%d.%d*%d", seed, i, k, max(size, 12))
				group = append(group, payload(name))
				total += len(payload(name))
				want = append(want, name)
				j.records = append(j.records, record{name: name, payload: payload(name)})
			}
			must(t, j.log.Reserve(n, int64(total)))
			number := j.log.Number()
			for k, p := range group {
				j.log.Append(p, uint64(len(j.records)-len(group)+k+1))
			}
			if j.log.Number() != number || j.log.current.end > j.log.current.log.Size() {
				t.Fatalf("seed %d, group %d: appended up to %d of %d bytes", seed, i, j.log.current.end, j.log.current.log.Size())
			}
			must(t, j.log.Flush(rng.IntN(2) == 0))
		}
		if got := j.recovered(j.fs); got != strings.Join(want, " ") {
			t.Fatalf("seed %d: got %s", seed, got)
		}
	}
}

func TestReserve_TakesARecordLargerThanASegment(t *testing.T) {
	j := begin(t, "put a; flush; put b*100000; flush; put c; sync")
	same(t, j.after(simfs.DropAll), "a b*100000 c")
}

func TestReserve_RefusesWhatNoSegmentCanHold(t *testing.T) {
	// Offsets and the room in a header have 32 bits.
	j := begin(t, "put a; sync")
	size := int64(maxSegmentLen + 1)
	for payload := size - 4<<20; payload < size; payload += chunkHeaderLen {
		if need := headerLen + framedLen(1, payload); need < size || need > size+chunkHeaderLen {
			continue
		}
		if err := j.log.Reserve(1, payload); err == nil {
			t.Errorf("a segment of %d bytes was begun", j.log.current.log.Size())
		}
	}
	if err := j.log.Err(); err != nil {
		t.Errorf("that ended the log: %v", err)
	}
	same(t, j.run("put b; sync").after(simfs.DropAll), "a b")
}

func TestReserve_WithRecordsThatWereNotFlushedLosesNone(t *testing.T) {
	j := begin(t, "put a; put b*4000; put c; sync")
	same(t, j.after(simfs.DropAll), "a b*4000 c")
}

func TestSegments_DoubleUpToTheirLargestSize(t *testing.T) {
	j := blank(t, simfs.New(), dir)
	j.opts.FirstSegmentBytes, j.opts.MaxSegmentBytes = 1024, 5000
	j.create().run("rotate; rotate; rotate; rotate")
	var sizes []int64
	for _, s := range j.log.live {
		sizes = append(sizes, s.log.Size())
	}
	if want := []int64{1024, 2048, 4096, 5000, 5000}; !slices.Equal(sizes, want) {
		t.Errorf("%d, want %d", sizes, want)
	}
}

func TestPrepare_MakesOneSpareThatTheNextRotationTakes(t *testing.T) {
	j := begin(t, "")
	if j.log.Ready() {
		t.Error("a new log has a spare")
	}
	j.run("prepare; prepare")
	if _, spares := j.log.Bytes(); !j.log.Ready() || spares != 4096 {
		t.Errorf("spares of %d bytes after two calls, want one of 4096", spares)
	}
	same(t, j.trace("rotate"), "write 000002.wal off=0 n=128")
	if j.log.Ready() {
		t.Error("the spare was taken and is still there")
	}
}

func TestPrepare_LeavesASpareThatAPowerCutKeeps(t *testing.T) {
	j := begin(t, "prepare")
	if unsynced := j.sim.Unsynced(); len(unsynced) != 0 {
		t.Errorf("unsynced:\n%v", unsynced)
	}
}

func TestRetire_RecyclesAsManyAsAskedAndRemovesTheOthers(t *testing.T) {
	j := begin(t, "put a; sync; rotate; put b; sync; rotate; put c; sync; rotate; put d; sync; retire 4")
	live, spares := j.log.Bytes()
	if live != 4096 || spares != 2*4096 {
		t.Errorf("%d bytes live and %d spare", live, spares)
	}
	names, err := j.fs.List(dir)
	must(t, err)
	same(t, strings.Join(names, " "), "000001.wal 000002.wal 000004.wal")
	same(t, j.after(simfs.DropAll), "d")
}

func TestRetire_RemovesSegmentsSmallerThanTheNextOneIs(t *testing.T) {
	j := blank(t, simfs.New(), dir)
	j.opts.FirstSegmentBytes, j.opts.MaxSegmentBytes = 1024, 4096
	j.create().run("rotate; rotate; rotate; retire 4")
	if _, spares := j.log.Bytes(); spares != 4096 {
		t.Errorf("%d bytes spare, want one segment of 4096", spares)
	}
}

func TestRetire_KeepsWhatItIsToldToKeepAndTheCurrentSegment(t *testing.T) {
	j := begin(t, "put a; sync; rotate; put b; sync")
	j.run("retire 1")
	if n := len(j.log.Files()); n != 2 {
		t.Errorf("%d segments are left of 2 that are all needed", n)
	}
	same(t, j.after(simfs.DropAll), "a b")
	must(t, j.log.Retire(99))
	j.first = 2
	same(t, j.run("put c; sync").after(simfs.DropAll), "b c")
}

func TestRotate_IntoARecycledSegmentReusesItsFile(t *testing.T) {
	j := begin(t, "put a; sync; rotate; put b; sync; retire 2")
	same(t, j.trace("rotate; put c; sync"), "write 000001.wal off=0 n=128; write 000001.wal off=128 n=17; sync 000001.wal")
	same(t, j.after(simfs.DropAll), "b c")
}

func TestReserve_TakesASpareOnlyWhenItIsLargeEnough(t *testing.T) {
	j := begin(t, "prepare; put big*5000; sync")
	if !j.log.Ready() {
		t.Error("the spare of 4096 bytes is gone")
	}
	same(t, j.after(simfs.DropAll), "big*5000")
}

// Failures.

// fails makes the next calls of some kinds fail, and wants a call of the script to fail with them.
func (j *journal) fails(script string, kinds ...simfs.Kind) {
	j.t.Helper()
	fault := j.sim.FailCall(simfs.Fault{Match: simfs.Kinds(kinds...), DropDirty: true})
	if err := j.try(script); !errors.Is(err, simfs.IOError) || fault.Fired() != 1 {
		j.t.Fatalf("%s: %v, %d calls failed", script, err, fault.Fired())
	}
	j.sim.Clear()
}

// ended wants every later call to return the failure.
func (j *journal) ended() {
	j.t.Helper()
	for _, call := range []string{"put z", "flush", "sync", "syncer", "rotate", "prepare"} {
		if err := j.try(call); !errors.Is(err, simfs.IOError) {
			j.t.Errorf("%s after the failure: %v", call, err)
		}
	}
	if err := j.log.Err(); !errors.Is(err, simfs.IOError) {
		j.t.Errorf("Err: %v", err)
	}
}

func TestLog_FailedWriteSticks(t *testing.T) {
	for _, call := range []string{"flush", "sync"} {
		j := begin(t, "put a; sync; put b")
		j.fails(call, simfs.OpWrite)
		j.ended()
		same(t, j.after(simfs.KillProcess), "a")
	}
}

func TestLog_FailedSyncSticksThoughARetryWouldSucceed(t *testing.T) {
	for _, call := range []string{"sync", "syncer"} {
		j := begin(t, "put a; sync; put b; flush; put c")
		j.fails(call, simfs.OpSync)
		j.ended()
		if got := j.log.SyncedMark(); got != 1 {
			t.Errorf("mark %d counts as synced, want 1", got)
		}
		same(t, j.after(simfs.DropAll), "a")
	}
}

func TestLog_FailedSyncOfAnOlderSegmentIsNotPassedOver(t *testing.T) {
	j := begin(t, "put a; flush; rotate; put b")
	j.fails("sync", simfs.OpSync)
	j.ended()
	same(t, fmt.Sprint(j.log.Vouched()), "segment 1 offset 128")
}

func TestLog_FailedHeaderWriteSticks(t *testing.T) {
	j := begin(t, "put a; sync")
	j.fails("rotate", simfs.OpWrite)
	j.ended()
	same(t, j.after(simfs.DropAll), "a")
}

func TestLog_HeaderWrittenInPartIsTakenAway(t *testing.T) {
	for _, script := range []string{"put a; sync", "put x; sync; rotate; put a; sync; retire 2"} { // a fresh file, a recycled one
		j := begin(t, script)
		j.sim.FailCall(simfs.Fault{Match: simfs.Kinds(simfs.OpWrite), ShortBytes: headerLen / 2})
		if err := j.try("rotate"); !errors.Is(err, simfs.IOError) {
			t.Fatal(err)
		}
		for _, policy := range simfs.Policies() {
			same(t, j.after(policy), "a")
		}
	}
}

func TestLog_FailedSyncOfTheDirectorySticks(t *testing.T) {
	for _, call := range []string{"rotate", "prepare"} {
		j := begin(t, "put a; sync")
		j.fails(call, simfs.OpSyncDir)
		j.ended()
		same(t, j.after(simfs.DropAll), "a")
	}
}

func TestLog_FullDiskDoesNotEndItAndLosesNothing(t *testing.T) {
	for _, call := range []string{"rotate", "prepare", "put big*5000"} {
		for _, kind := range []simfs.Kind{simfs.OpCreate, simfs.OpExtend, simfs.OpSync} {
			j := begin(t, "put a; sync; put b; flush")
			j.fails(call, kind)
			must(t, j.log.Err())
			same(t, j.after(simfs.KillProcess), "a b")
			if names, _ := j.fs.List(dir); len(names) != 1 {
				t.Errorf("%s with a failing %v leaves %s", call, kind, names)
			}
			j.run("put c; sync; rotate; put d; sync")
			same(t, j.after(simfs.DropAll), "a b c d")
		}
	}
}

func TestLog_FullDiskDoesNotMakeTheNextSegmentLarger(t *testing.T) {
	// What did not fit at 2 KiB must not be asked for at 4 KiB once there is room for 2.
	j := blank(t, simfs.New(), dir)
	j.opts.FirstSegmentBytes, j.opts.MaxSegmentBytes = 1024, 1<<20
	j.create()
	j.sim.FailCall(simfs.Fault{Match: simfs.Kinds(simfs.OpExtend), Err: simfs.NoSpace, Always: true})
	for range 5 {
		if err := j.try("rotate"); !errors.Is(err, simfs.NoSpace) {
			t.Fatal(err)
		}
	}
	j.sim.Clear()
	j.run("rotate")
	if got := j.log.current.log.Size(); got != 2048 {
		t.Errorf("the next segment has %d bytes, want 2048", got)
	}
}

func TestCreate_FailureIsReturnedWhereverItHappens(t *testing.T) {
	for nth := 1; ; nth++ {
		fs := simfs.New()
		j := blank(t, fs, dir)
		fault := fs.FailCall(simfs.Fault{Nth: nth})
		log, err := Create(j.opts)
		if fault.Fired() == 0 {
			must(t, err)
			must(t, log.Close())
			return
		}
		if log != nil || !errors.Is(err, simfs.IOError) {
			t.Errorf("call %d fails: %v, %v", nth, log, err)
		}
	}
}

// Close and Remove.

func TestClose_RemovesSparesAndLeavesTheLog(t *testing.T) {
	j := begin(t, "put a; sync; rotate; put b; sync; prepare")
	must(t, j.log.Close())
	names, err := j.fs.List(dir)
	must(t, err)
	same(t, strings.Join(names, " "), "000001.wal 000002.wal")
	same(t, j.after(simfs.KillProcess), "a b")
}

func TestRemove_LeavesNothing(t *testing.T) {
	j := begin(t, "put a; sync; rotate; put b; sync; prepare")
	must(t, j.log.Remove())
	if names, err := j.fs.List(dir); len(names) != 0 || err != nil {
		t.Errorf("left: %s, %v", names, err)
	}
}

func TestClose_IsIdempotentAndEndsTheLog(t *testing.T) {
	j := begin(t, "put a; flush; prepare")
	for range 2 {
		must(t, j.log.Close())
	}
	must(t, j.log.Remove())
	for _, call := range []string{"put b", "flush", "sync", "syncer", "rotate", "prepare"} {
		if err := j.try(call); !errors.Is(err, errClosed) {
			t.Errorf("%s after Close: %v", call, err)
		}
	}
	must(t, j.log.Retire(1))
}

func TestClose_AfterAFailureClosesEverythingAndKeepsTheFailure(t *testing.T) {
	j := begin(t, "put a; sync; prepare; put b")
	j.fails("flush", simfs.OpWrite)
	must(t, j.log.Close())
	j.ended()
}

// All together, at the same time.

func TestLog_SyncPrepareAndRetireWhileOthersAppend(t *testing.T) {
	for name, fs := range map[string]vfs.FS{"memory": vfs.NewMem(), "simfs": simfs.New(), "os": vfs.OS()} {
		t.Run(name, func(t *testing.T) {
			path := dir
			if name == "os" {
				path = filepath.Join(t.TempDir(), "db")
			}
			j := blank(t, fs, path)
			j.opts.FirstSegmentBytes, j.opts.MaxSegmentBytes, j.opts.Spares = 4096, 8192, 1
			j.opts.NewName = safely(j.opts.NewName)
			j.opts.NewEpoch = safely(j.opts.NewEpoch)
			j.create()

			var first sync.Mutex // guards what the manifest says
			done := make(chan struct{})
			var running sync.WaitGroup
			for _, background := range []func() error{
				func() error { return j.log.Sync() },
				func() error { return j.log.Prepare() },
				func() error {
					if v := j.log.Vouched(); v.Segment > 2 {
						first.Lock()
						defer first.Unlock()
						j.first = max(j.first, v.Segment-1)
						return j.log.Retire(j.first)
					}
					return nil
				},
				func() error {
					if live, spares := j.log.Bytes(); live < 4096 || spares < 0 || j.log.Err() != nil {
						return fmt.Errorf("%d live, %d spare, %w", live, spares, j.log.Err())
					}
					_, _ = j.log.SyncedMark(), j.log.Ready()
					return nil
				},
			} {
				running.Go(func() {
					for {
						if err := background(); err != nil {
							t.Error(err)
							return
						}
						select {
						case <-done:
							return
						default:
						}
					}
				})
			}
			for i := range 600 {
				must(t, j.put(fmt.Sprintf("%d.*%d", i, 10+i*37%300)))
				must(t, j.log.Flush(i%20 == 0))
			}
			close(done)
			running.Wait()
			must(t, j.log.Sync())
			must(t, j.log.Close())
			from := slices.IndexFunc(j.records, func(r record) bool { return r.segment >= j.first })
			var want []string
			for _, r := range j.records[from:] {
				want = append(want, r.name)
			}
			same(t, j.recovered(fs), strings.Join(want, " "))
		})
	}
}

// safely makes a function safe for concurrent use.
func safely[T any](fn func() T) func() T {
	var mu sync.Mutex
	return func() T {
		mu.Lock()
		defer mu.Unlock()
		return fn()
	}
}
