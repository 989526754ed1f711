package simfs_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// fails makes one call of a script that must fail with an error that matches want.
func (m *machine) fails(call string, want error) *machine {
	m.t.Helper()
	if err := m.try(call); !errors.Is(err, want) {
		m.t.Fatalf("%s: %v, want %v", call, err, want)
	}
	return m
}

func TestFailCall_FailsTheNthCallOnce(t *testing.T) {
	m := boot(t, "create a")
	m.FailCall(simfs.Fault{Nth: 3})
	m.run("write a x; write a y").fails("write a z", simfs.IOError).run("write a z")
	same(t, state(t, m.FS), "a=xyz")
}

func TestFailCall_FailsTheNthCallAndAllLater(t *testing.T) {
	m := boot(t, "create a")
	m.FailCall(simfs.Fault{Nth: 2, Always: true})
	m.run("write a x").fails("write a y", simfs.IOError).fails("sync a", simfs.IOError).fails("rename a b", simfs.IOError)
	same(t, state(t, m.FS), "a=x")
}

func TestFailCall_CountsOnlyCallsThatMatch(t *testing.T) {
	m := boot(t, "create a")
	m.FailCall(simfs.Fault{Nth: 2, Match: simfs.Kinds(simfs.OpSync)})
	m.run("sync a; write a x").fails("sync a", simfs.IOError)
}

func TestFailCall_CanMatchNames(t *testing.T) {
	m := boot(t, "create a; create b")
	m.FailCall(simfs.Fault{Always: true, Match: func(op simfs.Op) bool { return op.Name == "b" }})
	m.run("write a x").fails("write b x", simfs.IOError).fails("remove b", simfs.IOError)
}

func TestFailCall_AlwaysNamesAnOpenFileAsItIsCalledNow(t *testing.T) {
	m := boot(t, "create a; rename a b")
	m.FailCall(simfs.Fault{Match: func(op simfs.Op) bool { return op.Name == "b" }})
	m.fails("write b x", simfs.IOError)
}

func TestFailCall_WithoutMatchLeavesReadingAlone(t *testing.T) {
	m := boot(t, "create a")
	m.FailCall(simfs.Fault{Always: true})
	same(t, state(t, m.FS), "a=")
}

func TestFailCall_CanFailWhatChangesNothing(t *testing.T) {
	m := boot(t, "create a; write a x")
	reader, err := m.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	mapping, err := m.Map("a")
	if err != nil {
		t.Fatal(err)
	}
	for _, look := range []struct {
		kind simfs.Kind
		call func() error
	}{
		{simfs.OpOpen, func() error { _, err := m.Open("a"); return err }},
		{simfs.OpMap, func() error { _, err := m.Map("a"); return err }},
		{simfs.OpStat, func() error { _, err := m.Stat("a"); return err }},
		{simfs.OpStat, func() error { _, err := reader.Size(); return err }},
		{simfs.OpList, func() error { _, err := m.List("."); return err }},
		{simfs.OpLock, func() error { _, err := m.Lock("a"); return err }},
		{simfs.OpRead, func() error { _, err := reader.ReadAt(make([]byte, 1), 0); return err }},
		{simfs.OpRead, func() error { _, err := mapping.ReadAt(make([]byte, 1), 0); return err }},
		{simfs.OpRead, func() error { return mapping.Populate(0, 1) }},
		{simfs.OpClose, reader.Close},
	} {
		injection := m.FailCall(simfs.Fault{Match: simfs.Kinds(look.kind)})
		if err := look.call(); !errors.Is(err, simfs.IOError) || injection.Fired() != 1 {
			t.Errorf("%v: %v", look.kind, err)
		}
		m.Clear()
	}
}

func TestFailCall_ErrorNamesTheCallAndTheFile(t *testing.T) {
	m := boot(t, "create a")
	m.FailCall(simfs.Fault{Err: simfs.NoSpace})
	err := m.try("write a x")
	var pathError *fs.PathError
	if !errors.As(err, &pathError) || pathError.Op != "write" || pathError.Path != "a" || !errors.Is(err, simfs.NoSpace) {
		t.Errorf("got %v", err)
	}
}

func TestFailCall_FailedCallIsAnOperationThatChangedNothing(t *testing.T) {
	m := boot(t, "create a; dirsync")
	m.FailCall(simfs.Fault{Always: true})
	for _, call := range []string{"create b", "rename a b", "remove a", "mkdir d", "write a x", "sync a", "dirsync"} {
		m.fails(call, simfs.IOError)
	}
	same(t, m.Trace()[2:].String(), `3 create b !input/output error
4 rename a -> b !input/output error
5 remove a !input/output error
6 mkdir d !input/output error
7 write a off=0 n=0 !input/output error
8 sync a !input/output error
9 dirsync . !input/output error
`)
	same(t, state(t, m.FS), "a=")
	same(t, m.Unsynced().String(), "")
}

func TestFailCall_WriteCanBeShort(t *testing.T) {
	m := boot(t, "create a")
	m.FailCall(simfs.Fault{Err: simfs.NoSpace, ShortBytes: 2})
	n, err := m.files["a"].Write([]byte("wxyz"))
	if n != 2 || !errors.Is(err, simfs.NoSpace) {
		t.Errorf("wrote %d bytes, %v", n, err)
	}
	m.run("write a z")
	same(t, state(t, m.FS), "a=wxz")
}

func TestFailCall_ExtensionCanBeShortAndGivesNoRoom(t *testing.T) {
	m := boot(t, "log l")
	m.FailCall(simfs.Fault{Err: simfs.NoSpace, ShortBytes: 5})
	m.fails("extend l 9", simfs.NoSpace)
	same(t, state(t, m.FS), "l=.*5")
	if size := m.logs["l"].Size(); size != 0 {
		t.Errorf("room is %d bytes", size)
	}
	m.run("extend l 9")
	same(t, state(t, m.FS), "l=.*9")
}

func TestFailCall_FailedSyncLeavesDataUnsynced(t *testing.T) {
	m := boot(t, "create a; dirsync; write a x")
	m.FailCall(simfs.Fault{})
	m.fails("sync a", simfs.IOError)
	same(t, m.after(simfs.DropAll), "a=")
	same(t, m.after(simfs.KeepAll), "a=x")
	m.run("sync a")
	same(t, m.after(simfs.DropAll), "a=x")
}

func TestFailCall_FailedSyncCanDropDataThatReadsStillSee(t *testing.T) {
	m := boot(t, "create a; dirsync; write a x")
	m.FailCall(simfs.Fault{DropDirty: true})
	m.fails("sync a", simfs.IOError).run("sync a")
	same(t, state(t, m.FS), "a=x")
	same(t, m.after(simfs.KillProcess), "a=x")
	same(t, m.after(simfs.KeepAll), "a=")
}

func TestFailCall_FailedSyncCanRevertWhatReadsSee(t *testing.T) {
	m := boot(t, "create a; dirsync; write a x; sync a; write a y")
	m.FailCall(simfs.Fault{Revert: true})
	m.fails("sync a", simfs.IOError)
	same(t, state(t, m.FS), "a=x")
	m.run("sync a")
	same(t, m.after(simfs.KillProcess), "a=x")
	same(t, m.after(simfs.KeepAll), "a=x")
}

func TestFailCall_WhatIsWrittenAfterADropIsDurableAfterASync(t *testing.T) {
	m := boot(t, "create a; dirsync; write a x")
	m.FailCall(simfs.Fault{DropDirty: true})
	m.fails("sync a", simfs.IOError).run("write a y")
	same(t, m.after(simfs.DropAll), "a=")
	same(t, m.after(simfs.KeepAll), "a=.y")
	m.run("sync a")
	same(t, m.after(simfs.DropAll), "a=.y")
}

func TestFailCall_DropOutlivesTheProcess(t *testing.T) {
	m := boot(t, "create a; dirsync; write a x")
	m.FailCall(simfs.Fault{DropDirty: true})
	m.fails("sync a", simfs.IOError)
	killed := on(t, m.Image(simfs.KillProcess, 1))
	same(t, killed.after(simfs.KeepAll), "a=")
}

func TestFailCall_FailedDirectorySyncCanDropNames(t *testing.T) {
	m := boot(t, "create a; dirsync; rename a b; create c")
	m.FailCall(simfs.Fault{DropDirty: true})
	m.fails("dirsync", simfs.IOError).run("dirsync")
	same(t, state(t, m.FS), "b= c=")
	same(t, m.after(simfs.KeepAll), "a=")
}

// A directory is written as a whole: a later change of a name that was forgotten is not forgotten with it.
func TestFailCall_NamesThatChangeAfterADropAreDurableAfterASync(t *testing.T) {
	m := boot(t, "create a; dirsync; create b; write b x; sync b; rename b a; create c")
	m.FailCall(simfs.Fault{DropDirty: true})
	m.fails("dirsync", simfs.IOError).run("create d; write d y; sync d; rename d a; remove c; dirsync")
	same(t, state(t, m.FS), "a=y")
	same(t, m.after(simfs.DropAll), "a=y")
	m.run("create e; sync e; rename e a; dirsync")
	same(t, m.after(simfs.DropAll), "a=")
}

func TestFailCall_FaultsCountApartAndTheFirstDecides(t *testing.T) {
	m := boot(t, "create a")
	first := m.FailCall(simfs.Fault{Nth: 2})
	second := m.FailCall(simfs.Fault{Nth: 3, Err: simfs.NoSpace})
	third := m.FailCall(simfs.Fault{Nth: 3})
	m.run("write a x").fails("write a y", simfs.IOError).fails("write a z", simfs.NoSpace)
	if first.Fired() != 1 || second.Fired() != 1 || third.Fired() != 0 {
		t.Errorf("fired %d, %d and %d times", first.Fired(), second.Fired(), third.Fired())
	}
}

func TestFailCall_LoopOverNthEndsWhenNoneFires(t *testing.T) {
	workload := []string{"create a", "write a x", "sync a", "dirsync"}
	points := 0
	for nth := 1; ; nth++ {
		m := on(t, simfs.New())
		injection := m.FailCall(simfs.Fault{Nth: nth})
		for _, call := range workload {
			if m.try(call) != nil {
				break
			}
		}
		if injection.Fired() == 0 {
			break
		}
		points++
	}
	if points != len(workload) {
		t.Errorf("%d points of failure, want %d", points, len(workload))
	}
}

func TestClear_RemovesFaults(t *testing.T) {
	m := boot(t, "create a")
	m.FailCall(simfs.Fault{Always: true})
	m.fails("write a x", simfs.IOError)
	m.Clear()
	m.run("write a x")
}

func TestImages_HaveNoFaults(t *testing.T) {
	m := boot(t, "create a")
	m.FailCall(simfs.Fault{Always: true})
	for _, policy := range simfs.Policies() {
		on(t, m.Image(policy, 1)).run("create b; sync b; dirsync")
	}
}

func TestSetAccess_ReadOnlyRefusesWhatChangesState(t *testing.T) {
	m := boot(t, "mkdir d; create a; write a x; log l; extend l 4")
	m.SetAccess(simfs.ReadOnly)
	for _, call := range []string{
		"create b", "log k", "write a y", "extend l 8", "at l 0 x", "rename a b", "remove a", "mkdir e",
	} {
		m.fails(call, fs.ErrPermission)
	}
	if _, err := m.Lock("a"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("lock: %v", err)
	}
	m.run("mkdir d; sync a; dirsync")
	same(t, state(t, m.FS), "a=x d/ l=.*4")
}

func TestSetAccess_DeniedRefusesAllNames(t *testing.T) {
	m := boot(t, "create a; write a x")
	reader, err := m.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	m.SetAccess(simfs.Denied)
	for what, call := range map[string]func() error{
		"open": func() error { _, err := m.Open("a"); return err },
		"map":  func() error { _, err := m.Map("a"); return err },
		"list": func() error { _, err := m.List("."); return err },
		"stat": func() error { _, err := m.Stat("a"); return err },
		"make": func() error { return m.MkdirAll("d") },
	} {
		if err := call(); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := reader.ReadAt(make([]byte, 1), 0); err != nil {
		t.Errorf("open files can be read: %v", err)
	}
	m.SetAccess(simfs.ReadWrite)
	m.run("create b")
}

func TestLock_IsNotHeldInImages(t *testing.T) {
	m := boot(t, "create a")
	if _, err := m.Lock("LOCK"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Lock("LOCK"); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("second lock: %v", err)
	}
	for _, policy := range simfs.Policies() {
		if _, err := m.Image(policy, 1).Lock("LOCK"); err != nil {
			t.Errorf("%v: %v", policy, err)
		}
	}
}
