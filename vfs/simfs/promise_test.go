package simfs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/vfs/simfs"
)

// powerCuts returns all different states that the policies leave, random ones a hundred times, but for
// Garbled, which leaves bytes that nobody wrote.
func powerCuts(m *machine) []string {
	m.t.Helper()
	var states []string
	for _, policy := range simfs.Policies() {
		if policy == simfs.Garbled {
			continue
		}
		states = append(states, m.outcomesOf(policy, 100)...)
	}
	slices.Sort(states)
	return slices.Compact(states)
}

func TestPromise_SyncedBytesUnderASyncedNameStay(t *testing.T) {
	m := boot(t, "create a; write a xy; sync a; dirsync; write a z; create b; write b x; remove b; write a z")
	for _, state := range powerCuts(m) {
		if !strings.Contains(state, "a=xy") {
			t.Errorf("left %q", state)
		}
	}
}

func TestPromise_SyncOfAFileSyncsNoName(t *testing.T) {
	sameSet(t, powerCuts(boot(t, "create a; write a x; sync a")), "", "a=x")
}

func TestPromise_SyncOfADirectorySyncsNoBytes(t *testing.T) {
	sameSet(t, powerCuts(boot(t, "create a; write a x; dirsync")), "a=", "a=.", "a=x")
}

func TestPromise_SyncOfAFileSyncsNoOther(t *testing.T) {
	m := boot(t, "create a; create b; dirsync; write a x; write b y; sync a")
	same(t, m.after(simfs.DropAll), "a=x b=")
}

func TestPromise_SyncOfADirectorySyncsNoOther(t *testing.T) {
	m := boot(t, "mkdir d; create a; create d/a; dirsync d")
	same(t, m.after(simfs.DropAll), "d/ d/a=")
}

func TestPromise_OverwrittenBytesAreOldOrNew(t *testing.T) {
	m := boot(t, "log l; extend l 3; at l 0 abc; sync l; dirsync; at l 1 x; at l 1 y")
	sameSet(t, powerCuts(m), "l=abc", "l=axc", "l=ayc")
}

func TestPromise_RenameHappensWholeOrNotAtAll(t *testing.T) {
	m := boot(t, "create new; write new n; sync new; create cur; write cur o; sync cur; dirsync; rename new cur")
	sameSet(t, powerCuts(m), "cur=o new=n", "cur=n")
}

func TestPromise_RenameBetweenDirectoriesHappensWholeOrNotAtAll(t *testing.T) {
	m := boot(t, "mkdir d; create a; write a x; sync a; dirsync; rename a d/b")
	sameSet(t, powerCuts(m), "a=x d/", "d/ d/b=x")
}

func TestPromise_EitherDirectorySyncsARenameBetweenThem(t *testing.T) {
	for _, dir := range []string{".", "d"} {
		m := boot(t, "mkdir d; create a; write a x; sync a; rename a d/b; dirsync "+dir)
		same(t, m.after(simfs.DropAll), "d/ d/b=x")
	}
}

func TestPromise_RemovedFilesMayComeBack(t *testing.T) {
	m := boot(t, "create a; write a x; sync a; dirsync; remove a")
	sameSet(t, powerCuts(m), "", "a=x")
}

func TestPromise_AFileThatTakesAFreedNameCannotLoseTheOneThatLeftIt(t *testing.T) {
	m := boot(t, "create a; write a x; sync a; dirsync; rename a b; create a; write a y; sync a")
	sameSet(t, powerCuts(m), "a=x", "b=x", "a=y b=x")
}

func TestPromise_ARenameOntoAFreedNameCannotLoseTheOneThatLeftIt(t *testing.T) {
	m := boot(t, "create a; write a x; sync a; create b; write b y; sync b; dirsync; rename a c; rename b a")
	sameSet(t, powerCuts(m), "a=x b=y", "b=y c=x", "a=y c=x")
}

func TestPromise_ARenameLeansOnTheCreation(t *testing.T) {
	m := boot(t, "create a; rename a b; rename b c")
	sameSet(t, powerCuts(m), "", "a=", "b=", "c=")
}

func TestPromise_ADirectoryIsDurableWhenMade(t *testing.T) {
	sameSet(t, powerCuts(boot(t, "mkdir d/e")), "d/ d/e/")
}

func TestPromise_ADirectoryGoesOnlyWithItsNames(t *testing.T) {
	m := boot(t, "mkdir d; create d/a; dirsync d; remove d/a; remove d")
	sameSet(t, powerCuts(m), "", "d/", "d/ d/a=")
}

func TestPromise_ADirectoryMadeOverARenamedFileDoesNotLoseIt(t *testing.T) {
	m := boot(t, "create a; write a x; sync a; dirsync; rename a b; mkdir a")
	sameSet(t, powerCuts(m), "a/ b=x")
}
