package simfs_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/tinykv/tinykv/vfs/simfs"
)

func TestImage_IsIndependentOfTheOriginal(t *testing.T) {
	m := boot(t, "create a; write a x; log l; extend l 4")
	for _, policy := range []simfs.Policy{simfs.KillProcess, simfs.KeepAll} {
		image := on(t, m.Image(policy, 1))
		before := state(t, m.FS)
		image.run("remove a; create b; rename l m")
		same(t, state(t, m.FS), before)
		m.run("at l 0 x; write a y")
		same(t, state(t, image.FS), "b= m=.*4")
		m.run("at l 0 .")
	}
}

func TestImage_SharedBytesAreCopiedBeforeAWrite(t *testing.T) {
	m := boot(t, "log l; extend l 10000; at l 4000 A*200")
	image := m.Image(simfs.KillProcess, 1)
	m.run("at l 4100 B*5")
	same(t, state(t, image), "l=.*4000+A*200+.*5800")
	same(t, state(t, m.FS), "l=.*4000+A*100+B*5+A*95+.*5800")
}

func TestImage_SharesMemoryWithOtherImages(t *testing.T) {
	m := boot(t, "create a; write a x; sync a; dirsync")
	first, second := content(t, m.Image(simfs.DropAll, 1), "a"), content(t, m.Image(simfs.KeepAll, 1), "a")
	if &first[0] != &second[0] {
		t.Error("two images of an unchanged file are two copies")
	}
}

func TestImage_HasTheBytesThatWereGivenToWrite(t *testing.T) {
	m := boot(t, "create a; dirsync; create b")
	p := []byte("x")
	for range 2 {
		if _, err := m.files["a"].Write(p); err != nil {
			t.Fatal(err)
		}
		p[0] = 'y'
	}
	sameSet(t, m.outcomes(simfs.Omissions), "a=xy", "a=.y b=", "a=x b=")
}

func TestImage_CanCrashInItsTurn(t *testing.T) {
	image := on(t, boot(t, "create a; write a x; sync a; dirsync").Image(simfs.DropAll, 1))
	image.run("create b; write b y; sync b")
	same(t, image.after(simfs.DropAll), "a=x")
	same(t, image.after(simfs.KeepAll), "a=x b=y")
}

func TestImages_TakenEarlierStayAsTheyWere(t *testing.T) {
	m := boot(t, "create a; dirsync; write a x")
	images := m.Images(simfs.Prefixes, 1, 0)
	m.run("write a y; sync a; remove a; dirsync")
	var states []string
	for _, image := range images {
		states = append(states, state(t, image))
	}
	sameSet(t, states, "a=", "a=x")
}

func TestCacheID_StaysWithTheProcessDeadAndChangesWithThePower(t *testing.T) {
	m := boot(t, "create a")
	for _, policy := range simfs.Policies() {
		image := m.Image(policy, 1)
		again := image.Image(simfs.DropAll, 1)
		if kept := image.CacheID("/") == m.CacheID("/"); kept == policy.CutsPower() {
			t.Errorf("%v: boot id kept: %v", policy, kept)
		}
		if again.CacheID("/") == image.CacheID("/") || again.CacheID("/") == m.CacheID("/") {
			t.Errorf("%v: boot id came again", policy)
		}
	}
}

func TestImage_SameSeedGivesTheSameImage(t *testing.T) {
	m := boot(t, "log l; extend l 4096; at l 100 A*3000; create a; create b; create c; create d; at l 0 B*900")
	for _, policy := range simfs.Policies() {
		for seed := range uint64(20) {
			same(t, state(t, m.Image(policy, seed)), state(t, m.Image(policy, seed)))
		}
	}
}

func TestImage_SeedsGiveDifferentImages(t *testing.T) {
	m := boot(t, "log l; extend l 8192; sync l; dirsync; at l 0 A*2000; at l 2000 B*2000; "+
		"create a; create b; create c; create d")
	for _, policy := range simfs.Policies()[3 : len(simfs.Policies())-1] {
		states := map[string]bool{}
		for seed := range uint64(100) {
			states[state(t, m.Image(policy, seed))] = true
		}
		if len(states) < 5 {
			t.Errorf("%v: 100 seeds give %d states", policy, len(states))
		}
	}
}

func TestReplay_MakesAnImageOfImagesAgain(t *testing.T) {
	m := boot(t, "log l; extend l 4096; create a; create b; create c; at l 100 A*3000; create d; at l 0 B*900")
	for _, policy := range simfs.Policies() {
		for _, limit := range []int{0, 1, 5, 30} {
			for label, image := range m.Images(policy, 7, limit) {
				again, err := m.Replay(simfs.Crash{Seed: 7, Policy: policy, Label: simfs.Label{Number: label.Number}})
				if err != nil {
					t.Fatal(err)
				}
				same(t, state(t, again), state(t, image))
			}
		}
	}
}

func TestReplay_RefusesAnImageThatThePolicyDoesNotKnow(t *testing.T) {
	m := boot(t, "create a")
	for _, number := range []int{-1, 2} {
		_, err := m.Replay(simfs.Crash{Policy: simfs.Prefixes, Label: simfs.Label{Number: number}})
		if err == nil {
			t.Errorf("image %d exists", number)
		}
	}
}

func TestCrash_PrintsAllThatReplayNeeds(t *testing.T) {
	m := boot(t, "create a; write a x; create b")
	var lines []string
	for label := range m.Images(simfs.Omissions, 7, 0) {
		crash := simfs.Crash{Seed: 7, Op: m.Trace()[m.Ops()-1], Policy: simfs.Omissions, Label: label}
		lines = append(lines, crash.String())
	}
	same(t, strings.Join(lines, "\n"), `seed 7, after 3 create b, policy Omissions, image 0: lost 1
seed 7, after 3 create b, policy Omissions, image 1: lost 2
seed 7, after 3 create b, policy Omissions, image 2: lost 3`)
}

func TestImages_MayBeTakenWhileOthersWrite(t *testing.T) {
	fsys := simfs.New()
	var writers sync.WaitGroup
	for i := range 4 {
		m := on(t, fsys)
		writers.Go(func() {
			name := fmt.Sprint("a", i)
			for _, call := range []string{"log " + name, "extend " + name + " 9000", "sync " + name, "dirsync"} {
				if err := m.try(call); err != nil {
					t.Error(err)
				}
			}
			for j := range 200 {
				if err := m.try(fmt.Sprintf("at %s %d x", name, j*40)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 50 {
		for _, policy := range simfs.Policies() {
			for _, image := range fsys.Images(policy, uint64(i), 3) {
				state(t, image)
			}
		}
	}
	writers.Wait()
}
