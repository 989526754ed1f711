package simfs_test

import (
	"testing"

	"github.com/tinykv/tinykv/vfs/simfs"
)

func TestTrace_OneLineForEachCallThatChangesState(t *testing.T) {
	m := boot(t, "mkdir db/x; create db/a; write db/a xy; sync db/a; rename db/a db/b; dirsync db; "+
		"log db/l; extend db/l 512; at db/l 128 x*57; sync db/l; remove db/b")
	same(t, m.Trace().String(), `1 mkdir x
2 create a
3 write a off=0 n=2
4 sync a
5 rename a -> b
6 dirsync db
7 create l
8 extend l off=0 n=512
9 write l off=128 n=57
10 sync l
11 remove b
`)
}

func TestTrace_CallsThatChangeNothingHaveNoIndex(t *testing.T) {
	m := boot(t, "create a; mkdir d; log l; extend l 4")
	before := m.Ops()
	m.run("mkdir d; extend l 4")
	_ = m.try("create a")
	_ = m.try("remove b")
	_ = m.try("remove /")
	_ = m.try("remove .")
	_ = m.try("dirsync none")
	_ = m.try("at l 3 xy")
	state(t, m.FS)
	if m.Ops() != before {
		t.Errorf("%v", m.Trace()[before:])
	}
}

func TestTrace_ALockThatMakesItsFileIsACreation(t *testing.T) {
	fsys := simfs.New()
	for range 2 {
		lock, err := fsys.Lock("LOCK")
		if err != nil {
			t.Fatal(err)
		}
		if err := lock.Close(); err != nil {
			t.Fatal(err)
		}
	}
	same(t, fsys.Trace().String(), "1 create LOCK\n")
}

func TestTrace_GoesOnAfterTheProcessAndStartsAnewAfterThePower(t *testing.T) {
	m := boot(t, "create a; dirsync")
	on(t, m.Image(simfs.KillProcess, 1)).run("create b").traces("1 create a\n2 dirsync .\n3 create b\n")
	on(t, m.Image(simfs.DropAll, 1)).run("create b").traces("1 create b\n")
	m.traces("1 create a\n2 dirsync .\n")
}

func (m *machine) traces(want string) {
	m.t.Helper()
	same(m.t, m.Trace().String(), want)
}

func TestUnsynced_ListsWhatAPowerCutMayLose(t *testing.T) {
	m := boot(t, "create a; write a x; create b; dirsync; write a y; sync a; write a z; rename b c")
	same(t, m.Unsynced().String(), "7 write a off=2 n=1\n8 rename b -> c\n")
}

func TestSetHook_IsCalledAfterEachOperationTookEffect(t *testing.T) {
	m := on(t, simfs.New())
	var seen []string
	m.SetHook(func(op simfs.Op) {
		seen = append(seen, op.String()+": "+state(t, m.Image(simfs.KeepAll, 1))+"; "+m.after(simfs.DropAll))
	})
	m.run("create a; dirsync; write a x; sync a; rename a b")
	m.SetHook(nil)
	m.run("remove b")
	want := []string{
		"1 create a: a=; ",
		"2 dirsync .: a=; a=",
		"3 write a off=0 n=1: a=x; a=",
		"4 sync a: a=x; a=x",
		"5 rename a -> b: b=x; a=x",
	}
	sameSet(t, seen, want...)
}

func TestSetHook_SeesCallsThatWereMadeToFail(t *testing.T) {
	m := boot(t, "create a")
	var failed error
	m.SetHook(func(op simfs.Op) { failed = op.Err })
	m.FailCall(simfs.Fault{})
	m.fails("write a x", simfs.IOError)
	if failed != simfs.IOError {
		t.Errorf("hook saw %v", failed)
	}
}

func TestKind_NamesAreDistinct(t *testing.T) {
	seen := map[string]simfs.Kind{}
	for kind := range simfs.Kind(64) {
		if other, twice := seen[kind.String()]; twice {
			t.Errorf("%d and %d are both %v", kind, other, kind)
		}
		seen[kind.String()] = kind
	}
}
