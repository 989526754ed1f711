package manifest

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// edits is a short life of a store.
func edits(t *testing.T) []*Edit {
	all := []*Edit{
		edit(t, "+L0:3[a#1,SET-m#5,SET]"),
		edit(t, "+L0:4[a#6,SET-z#9,SET]"),
		edit(t, "-L0:3 -L0:4 +L6:5[a#6,SET-k#2,SET] +L6:6[l#1,SET-z#9,SET]"),
		edit(t, "+L0:7[b#10,SET-c#11,DEL]"),
		edit(t, "-L0:7 +L5:7[b#10,SET-c#11,DEL]"),
	}
	for i, e := range all {
		e.NextFile = FileNum(10 + i)
		e.LastSeq = key.SeqNum(5 + 2*i)
		e.Log = &LogState{First: 1, Exists: true}
	}
	return all
}

// lived returns a store after all of it.
func lived(t *testing.T) *store {
	t.Helper()
	s := newStore(t)
	must(t, s.begin(2, empty()))
	for _, e := range edits(t) {
		must(t, s.append(e))
	}
	return s
}

func TestManifest_LoadsWhatWasAppended(t *testing.T) {
	s := lived(t)
	same(t, load(s.sim), s.states[len(s.states)-1])
	same(t, describe(s.m.State()), s.states[len(s.states)-1])
}

func TestManifest_IsNotInForceBeforeSwitch(t *testing.T) {
	s := newStore(t)
	m, err := New(options(s.sim), 2, 7, empty())
	must(t, err)
	same(t, load(s.sim), "no store")
	must(t, m.Switch())
	same(t, load(s.sim), describe(empty()))
	same(t, m.Num(), 2)
}

func TestManifest_SizeTellsHowFarItHasGrown(t *testing.T) {
	s := newStore(t)
	must(t, s.begin(2, empty()))
	now, first := s.m.Size()
	if now != first || now <= 128 {
		t.Errorf("new: %d and %d", now, first)
	}
	must(t, s.append(edits(t)[0]))
	if grown, still := s.m.Size(); grown <= now || still != first {
		t.Errorf("after an edit: %d and %d", grown, still)
	}
}

func TestManifest_RefusedEditChangesNothing(t *testing.T) {
	s := lived(t)
	before := describe(s.m.State())
	if err := s.m.Append(edit(t, "-L3:77")); !errors.Is(err, corrupt.ErrCorrupt) {
		t.Errorf("%v", err)
	}
	same(t, describe(s.m.State()), before)
	same(t, load(s.sim), before)
	must(t, s.m.Err())
}

func TestManifest_FailedWriteOrSyncSticksAndLeavesTheState(t *testing.T) {
	for _, kind := range []simfs.Kind{simfs.OpWrite, simfs.OpSync} {
		s := lived(t)
		before := describe(s.m.State())
		s.sim.FailCall(simfs.Fault{Match: simfs.Kinds(kind)})
		for range 2 {
			if err := s.m.Append(edit(t, "-L5:7")); !errors.Is(err, simfs.IOError) || !errors.Is(s.m.Err(), simfs.IOError) {
				t.Errorf("%v: %v, %v", kind, err, s.m.Err())
			}
		}
		same(t, describe(s.m.State()), before)
		if err := s.m.Seal(); !errors.Is(err, simfs.IOError) {
			t.Errorf("%v: Seal returns %v", kind, err)
		}
	}
}

func TestManifest_FullDiskDoesNotEndIt(t *testing.T) {
	s := newStore(t)
	must(t, s.begin(2, empty()))
	s.sim.FailCall(simfs.Fault{Match: simfs.Kinds(simfs.OpExtend), Err: simfs.NoSpace, Always: true})
	var big Edit
	for i := range 2000 {
		big.Added = append(big.Added, AddedTable{6, table(t, fmt.Sprintf("%d[%06d#1,SET-%06d#1,SET]", i+10, 2*i, 2*i+1))})
	}
	if err := s.m.Append(&big); !errors.Is(err, simfs.NoSpace) || s.m.Err() != nil {
		t.Errorf("%v, %v", err, s.m.Err())
	}
	same(t, describe(s.m.State()), describe(empty()))
	must(t, s.append(edits(t)[0]))
	s.sim.Clear()
	must(t, s.append(&big))
	must(t, s.check(s.sim.Image(simfs.DropAll, 1)))
}

func TestNew_FailureLeavesNothing(t *testing.T) {
	for nth := 1; ; nth++ {
		s := newStore(t)
		fault := s.sim.FailCall(simfs.Fault{Nth: nth})
		m, err := New(options(s.sim), 2, 7, empty())
		if fault.Fired() == 0 {
			must(t, err)
			must(t, m.Close())
			return
		}
		if names, _ := s.sim.List(dir); !errors.Is(err, simfs.IOError) || len(names) > 0 {
			t.Errorf("call %d fails: %v, left %s", nth, err, names)
		}
	}
}

func TestNew_RefusesANumberThatIsTaken(t *testing.T) {
	s := lived(t)
	if _, err := New(options(s.sim), 2, 7, empty()); err == nil {
		t.Error("a second manifest 2 was made")
	}
	same(t, load(s.sim), s.states[len(s.states)-1])
}

func TestSeal_MakesTheStoreClosedInOrder(t *testing.T) {
	s := lived(t)
	for _, sealed := range []bool{false, true} {
		loaded, err := Load(options(s.sim))
		must(t, err)
		if loaded.Sealed != sealed || loaded.Manifest != 2 {
			t.Errorf("sealed: %v, manifest %d", loaded.Sealed, loaded.Manifest)
		}
		must(t, s.m.Seal())
	}
	must(t, s.m.Close())
	must(t, s.check(s.sim.Image(simfs.DropAll, 1)))
}

func TestLoad_ChangesNothing(t *testing.T) {
	s := lived(t)
	ops := s.sim.Ops()
	load(s.sim)
	s.sim.SetAccess(simfs.ReadOnly)
	same(t, load(s.sim), s.states[len(s.states)-1])
	same(t, s.sim.Ops(), ops)
}

func TestLoad_FileThatCannotBeReadIsAnErrorAndNoCorruption(t *testing.T) {
	for nth := 1; ; nth++ {
		s := lived(t)
		fault := s.sim.FailCall(simfs.Fault{Nth: nth, Match: simfs.Kinds(simfs.OpOpen, simfs.OpRead, simfs.OpClose, simfs.OpStat)})
		got := load(s.sim)
		if fault.Fired() == 0 {
			return
		}
		begins(t, got, "error: ", "input/output error")
	}
}

// Damage.

func TestLoad_MissingManifestIsCorruption(t *testing.T) {
	s := lived(t)
	must(t, s.sim.Remove(filepath.Join(dir, "MANIFEST-000002")))
	begins(t, load(s.sim), "corrupt: ", "MANIFEST-000002")
}

func TestLoad_OfAnEmptyManifestIsCorruption(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 200} {
		s := lived(t)
		change(t, s.sim, "MANIFEST-000002", func(data []byte) []byte { return data[:n] })
		begins(t, load(s.sim), "corrupt: ", "MANIFEST-000002")
	}
}

func TestLoad_OfAnEmptyCurrentIsCorruption(t *testing.T) {
	s := lived(t)
	change(t, s.sim, CurrentName, func([]byte) []byte { return nil })
	begins(t, load(s.sim), "corrupt: ", CurrentName)
}

func TestLoad_ManifestOfAnotherStoreIsCorruption(t *testing.T) {
	s, other := lived(t), newStore(t)
	state := empty()
	state.Store++
	must(t, other.begin(2, state))
	change(t, s.sim, "MANIFEST-000002", func([]byte) []byte { return contents(t, other.sim, "MANIFEST-000002") })
	begins(t, load(s.sim), "corrupt: ", "belongs to store")
}

func TestLoad_SwappedManifestIsCorruption(t *testing.T) {
	// An older manifest of the same store, under the name of the one in force.
	s := lived(t)
	old := contents(t, s.sim, "MANIFEST-000002")
	must(t, s.renew(9))
	must(t, s.append(edit(t, "-L5:7")))
	change(t, s.sim, "MANIFEST-000009", func([]byte) []byte { return old })
	begins(t, load(s.sim), "corrupt: ", "MANIFEST-000009")
}

func TestLoad_SealedManifestThatIsOlderIsCorruption(t *testing.T) {
	s := lived(t)
	old := contents(t, s.sim, "MANIFEST-000002")
	must(t, s.append(edit(t, "-L5:7")))
	must(t, s.m.Seal())
	change(t, s.sim, "MANIFEST-000002", func([]byte) []byte { return old })
	begins(t, load(s.sim), "corrupt: ", "was sealed")
}

func TestLoad_FirstEditThatMakesNoWholeStateIsCorruption(t *testing.T) {
	for name, state := range map[string]State{
		"no log":       {Store: testStore, NextFile: 2, Version: &Version{}},
		"no next file": {Store: testStore, Log: LogState{First: 1}, Version: &Version{}},
	} {
		s := newStore(t)
		must(t, s.begin(2, state))
		if got := load(s.sim); !strings.HasPrefix(got, "corrupt: ") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestLoad_NewerEditIsTooNew(t *testing.T) {
	s := lived(t)
	must(t, s.m.log.Append(appendField(nil, 99, []byte("x"))))
	begins(t, load(s.sim), "too new: ", "MANIFEST-000002")
}

func TestLoad_EditThatCannotBeAppliedIsCorruptionWithFileAndOffset(t *testing.T) {
	s := lived(t)
	size := s.m.log.Size()
	must(t, s.m.log.Append(edit(t, "-L3:77").Encode()))
	begins(t, load(s.sim), "corrupt: ", fmt.Sprintf("corrupt data in /db/MANIFEST-000002 at offset %d: version edit: deletes table 77", size+16))
}

func TestLoad_EveryChangedByteOfASealedManifestIsCorruption(t *testing.T) {
	s := lived(t)
	must(t, s.m.Seal())
	for at := range s.m.log.Size() {
		for _, policy := range []simfs.Policy{simfs.KillProcess, simfs.KeepAll} {
			image := s.sim.Image(policy, 1)
			change(t, image, "MANIFEST-000002", func(data []byte) []byte { data[at] ^= 1 << (at % 8); return data })
			if got := load(image); !strings.HasPrefix(got, "corrupt: ") {
				t.Errorf("byte %d, %v: %s", at, policy, got)
			}
		}
	}
}

func TestLoad_EveryChangedByteOfAnOpenManifestIsCorruptionOrLosesOnlyTheLastEdit(t *testing.T) {
	s := lived(t)
	size := s.m.log.Size()
	whole, less := s.states[len(s.states)-1], s.states[len(s.states)-2]
	silent := 0
	for at := range size + 100 {
		for _, policy := range []simfs.Policy{simfs.KillProcess, simfs.KeepAll} {
			image := s.sim.Image(policy, 1)
			change(t, image, "MANIFEST-000002", func(data []byte) []byte { data[at] ^= 1 << (at % 8); return data })
			switch got := load(image); {
			case strings.HasPrefix(got, "corrupt: "):
			case got == less && at < size:
				silent++
			case got == whole && at >= size:
			default:
				t.Errorf("byte %d, %v: %s", at, policy, got)
			}
		}
	}
	last := len(edits(t)[4].Encode()) + 16
	if silent != 2*last {
		t.Errorf("%d changed bytes go unnoticed, the last edit has %d", silent/2, last)
	}
}

// Crashes.

// live runs a whole life of a store, taking the failures as they come. It returns the first.
func (s *store) live() error {
	if err := s.begin(2, empty()); err != nil {
		return err
	}
	for i, e := range edits(s.t) {
		if err := s.append(e); err != nil {
			return err
		}
		if i == 2 {
			if err := s.renew(9); err != nil {
				return err
			}
		}
	}
	if err := s.m.Seal(); err != nil {
		return err
	}
	return s.m.Close()
}

func TestManifest_EveryCrashLeavesAStateAtOrBehindTheAcknowledgedOne(t *testing.T) {
	const seed = 5
	s := newStore(t)
	images := 0
	s.sim.SetHook(func(op simfs.Op) {
		for _, policy := range simfs.Policies() {
			for label, image := range s.sim.Images(policy, seed, 6) {
				images++
				if err := s.check(image); err != nil {
					t.Fatalf("%v: %v", simfs.Crash{Seed: seed, Op: op, Policy: policy, Label: label}, err)
				}
			}
		}
	})
	must(t, s.live())
	t.Logf("%d images", images)
}

func TestManifest_EveryFailingCallLeavesAStateAtOrBehindTheAcknowledgedOne(t *testing.T) {
	images := 0
	for _, fault := range []simfs.Fault{{}, {ShortBytes: 20}, {ShortBytes: 1 << 40}, {DropDirty: true}, {Always: true, DropDirty: true}} {
		for nth := 1; ; nth++ {
			s := newStore(t)
			fault.Nth = nth
			injected := s.sim.FailCall(fault)
			if err := s.live(); injected.Fired() > 0 && !errors.Is(err, simfs.IOError) {
				t.Fatalf("fault %+v: %v", fault, err)
			}
			if injected.Fired() == 0 {
				break
			}
			s.sim.Clear()
			for _, policy := range simfs.Policies() {
				for label, image := range s.sim.Images(policy, uint64(nth), 4) {
					images++
					if err := s.check(image); err != nil {
						t.Fatalf("fault %+v, policy %v, %v: %v", fault, policy, label, err)
					}
				}
			}
		}
	}
	t.Logf("%d images", images)
}

// An edit may come from before the manifest that follows, and know fewer file numbers.
func TestFollow_LosesNoFileNumber(t *testing.T) {
	m, err := New(options(newStore(t).sim), 9, 7, State{Store: 7, Version: &Version{}, NextFile: 10})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Follow(&Edit{NextFile: 9, LastSeq: 1}, State{Store: 7, Version: &Version{}, NextFile: 9, LastSeq: 1}); err != nil {
		t.Fatal(err)
	}
	mark := m.Mark()
	if _, err := mark.Verify(); err != nil {
		t.Error(err)
	}
	if next := m.State().NextFile; next != 10 {
		t.Errorf("next file %d, want 10", next)
	}
}

func TestVerify_OfAManifestThatEndsEarlyIsCorruption(t *testing.T) {
	s := newStore(t)
	must(t, s.begin(1, empty()))
	must(t, s.append(edit(t, "+L1:7[fig#0,SET-kiwi#0,DEL]")))
	verify := func() (int, error) {
		mark := s.m.Mark()
		return mark.Verify()
	}
	if edits, err := verify(); edits != 2 || err == nil { // table 7, but the next number is 2
		t.Errorf("%d edits, %v", edits, err)
	}
	must(t, s.append(&Edit{NextFile: 8}))
	if edits, err := verify(); edits != 3 || err != nil {
		t.Errorf("%d edits, %v", edits, err)
	}
	must(t, s.append(&Edit{NextFile: 9}))
	change(t, s.sim, Name(FileManifest, 1), func(data []byte) []byte {
		end, _ := s.m.Size()
		clear(data[end-8 : end]) // the end of the last record
		return data
	})
	if edits, err := verify(); edits != 3 || !errors.Is(err, corrupt.ErrCorrupt) {
		t.Errorf("without the last of 4 edits: %d edits, %v", edits, err)
	}
}

func TestCheck_NumbersLieBelowThoseToBeGivenOut(t *testing.T) {
	v := version(t, "+L0:7[fig#12,SET-kiwi#13,DEL] +L6:5[m#1,SET-n#1,DEL]")
	for _, c := range []struct {
		state State
		ok    bool
	}{
		{State{NextFile: 8, LastSeq: 13, Version: v}, true},
		{State{NextFile: 7, LastSeq: 13, Version: v}, false},
		{State{NextFile: 8, LastSeq: 12, Version: v}, false},
	} {
		if err := c.state.Check(); (err == nil) != c.ok || err != nil && !errors.Is(err, corrupt.ErrCorrupt) {
			t.Errorf("%s: %v", describe(c.state), err)
		}
	}
}

// Intact edits that are not those which were made, as of a file that was put in its place.
func TestVerify_OfAManifestWithOtherEditsIsCorruption(t *testing.T) {
	made := func(table string) *store {
		s := newStore(t)
		must(t, s.begin(1, State{Store: testStore, NextFile: 9, Log: LogState{First: 1}, Version: &Version{}}))
		must(t, s.append(edit(t, table)))
		return s
	}
	s, other := made("+L1:7[fig#0,SET-kiwi#0,DEL]"), made("+L1:8[fig#0,SET-kiwi#0,DEL]")
	mark := s.m.Mark()
	if edits, err := mark.Verify(); edits != 2 || err != nil {
		t.Errorf("%d edits, %v", edits, err)
	}
	name := Name(FileManifest, 1)
	change(t, s.sim, name, func([]byte) []byte { return contents(t, other.sim, name) })
	if edits, err := mark.Verify(); edits != 2 || !errors.Is(err, corrupt.ErrCorrupt) {
		t.Errorf("%d edits, %v", edits, err)
	}
}
