package simfs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/vfs/simfs"
)

// The script of the package comment: the name a and the byte z are unsynced.
const nameAndByte = "create a; write a xy; sync a; write a z"

func TestKillProcess_LeavesThePageCache(t *testing.T) {
	same(t, boot(t, nameAndByte).after(simfs.KillProcess), "a=xyz")
}

func TestKillProcess_LeavesUnsyncedWhatWasUnsynced(t *testing.T) {
	killed := on(t, boot(t, nameAndByte+"; dirsync").Image(simfs.KillProcess, 1))
	same(t, state(t, killed.FS), "a=xyz")
	same(t, killed.after(simfs.DropAll), "a=xy")
}

func TestKeepAll_LosesNothing(t *testing.T) {
	same(t, boot(t, nameAndByte).after(simfs.KeepAll), "a=xyz")
}

func TestKeepAll_LeavesNothingThatCouldStillBeLost(t *testing.T) {
	kept := on(t, boot(t, nameAndByte).Image(simfs.KeepAll, 1))
	same(t, kept.after(simfs.DropAll), "a=xyz")
}

func TestDropAll_LeavesWhatWasSynced(t *testing.T) {
	for script, want := range map[string]string{
		nameAndByte:                                              "",
		nameAndByte + "; dirsync":                                "a=xy",
		nameAndByte + "; sync a":                                 "",
		nameAndByte + "; sync a; dirsync":                        "a=xyz",
		"create a; dirsync; write a xy":                          "a=",
		"create a; dirsync; rename a b":                          "a=",
		"create a; dirsync; rename a b; dirsync":                 "b=",
		"create a; dirsync; remove a":                            "a=",
		"create a; dirsync; remove a; dirsync":                   "",
		"log l; dirsync; extend l 4":                             "l=",
		"log l; dirsync; extend l 4; sync l":                     "l=.*4",
		"log l; extend l 4; sync l; at l 1 xy":                   "",
		"log l; dirsync; extend l 3; at l 1 x; sync l; at l 1 z": "l=.x.",
		"mkdir d/e; create d/e/a; dirsync":                       "d/ d/e/",
		"mkdir d/e; create d/e/a; dirsync d/e":                   "d/ d/e/ d/e/a=",
	} {
		t.Run(script, func(t *testing.T) {
			same(t, boot(t, script).after(simfs.DropAll), want)
		})
	}
}

func TestPrefixes_OneImageForEachLength(t *testing.T) {
	sameSet(t, boot(t, nameAndByte).outcomes(simfs.Prefixes), "", "a=xy", "a=xyz")
	sameSet(t, boot(t, "create a; create b; dirsync; write a x; write b y; write a z").outcomes(simfs.Prefixes),
		"a= b=", "a=x b=", "a=x b=y", "a=xz b=y")
}

func TestOmissions_OneImageWithoutEach(t *testing.T) {
	sameSet(t, boot(t, nameAndByte).outcomes(simfs.Omissions), "", "a=xy")
	sameSet(t, boot(t, "create a; create b; dirsync; write a x; write b y; write a z").outcomes(simfs.Omissions),
		"a=.z b=y", "a=xz b=", "a=x b=y")
}

func TestRandomSubset_EverySubsetOfAFewOperations(t *testing.T) {
	sameSet(t, boot(t, "create a; dirsync; write a x; write a y; write a z").outcomes(simfs.RandomSubset),
		"a=", "a=x", "a=.y", "a=..z", "a=xy", "a=x.z", "a=.yz", "a=xyz")
}

func TestRandomSubset_SomeSubsetsOfManyOperations(t *testing.T) {
	m := boot(t, "log l; extend l 5; sync l; dirsync; at l 0 a; at l 1 b; at l 2 c; at l 3 d; at l 4 e")
	states := m.outcomesOf(simfs.RandomSubset, 1000)
	if len(states) != 32 {
		t.Errorf("1000 images show %d of 32 subsets", len(states))
	}
}

func TestTorn_LosesSingleBlocks(t *testing.T) {
	for policy, size := range map[simfs.Policy]int{simfs.Torn512: 512, simfs.Torn4096: 4096} {
		m := boot(t, fmt.Sprintf("log l; extend l %d; sync l; dirsync; at l 0 A*%d+B*%d", 2*size, size, size))
		sameSet(t, m.outcomesOf(policy, 200),
			fmt.Sprintf("l=.*%d", 2*size),
			fmt.Sprintf("l=A*%d+.*%d", size, size),
			fmt.Sprintf("l=.*%d+B*%d", size, size),
			fmt.Sprintf("l=A*%d+B*%d", size, size),
		)
	}
}

func TestTorn_BlocksAreThoseOfTheFile(t *testing.T) {
	m := boot(t, "log l; extend l 1024; sync l; dirsync; at l 510 xyz")
	sameSet(t, m.outcomesOf(simfs.Torn512, 200),
		"l=.*1024", "l=.*510+xy+.*512", "l=.*512+z+.*511", "l=.*510+xyz+.*511")
}

func TestTorn_FilesThatGrewAreShortOrHaveZeros(t *testing.T) {
	m := boot(t, "create a; dirsync; write a A*512+B*512")
	sameSetAndCut(t, m.outcomesOf(simfs.Torn512, 200),
		"a=", "a=.*512", "a=A*512", "a=.*512+B*512", "a=A*512+.*512", "a=.*1024", "a=A*512+B*512")
}

func TestTorn_OftenLosesTheEndOfALongWrite(t *testing.T) {
	m := boot(t, "create a; dirsync; write a A*51200")
	short := 0
	for label, image := range m.Images(simfs.Torn512, 1, 200) {
		info, err := image.Stat("a")
		if err != nil {
			t.Fatal(err)
		}
		if label.Number >= 100 && info.SizeBytes < 25600 {
			short++
		}
	}
	if short < 10 || short > 40 {
		t.Errorf("%d of 100 files are less than half as long; about 13 expected", short)
	}
}

func TestTorn_ExtensionsEndAtAnyBlock(t *testing.T) {
	m := boot(t, "log l; dirsync; extend l 1500")
	sameSetAndCut(t, m.outcomesOf(simfs.Torn512, 200), "l=", "l=.*512", "l=.*1024", "l=.*1500")
}

func TestTorn_FirstImagesCutTheNewestOperationAndLeaveAllElse(t *testing.T) {
	m := boot(t, "create a; dirsync; write a A*100; write a B*1000; create b")
	var states []string
	for label, image := range m.Images(simfs.Torn512, 1, 0) {
		if label.Number < 3 {
			states = append(states, state(t, image))
		}
	}
	sameSet(t, states, "a=A*100 b=", "a=A*100+B*412 b=", "a=A*100+B*924 b=")
}

func TestLaterWithoutEarlier_KeepsTheNewestOfEachFile(t *testing.T) {
	m := boot(t, "create a; create b; dirsync; write a x; write b y; write a z")
	sameSet(t, m.outcomes(simfs.LaterWithoutEarlier), "a=.z b=y")
}

func TestLaterWithoutEarlier_LosesNamesByCoin(t *testing.T) {
	m := boot(t, "create a; write a x; write a y; create b")
	sameSet(t, m.outcomes(simfs.LaterWithoutEarlier), "", "a=.y", "b=", "a=.y b=")
}

func TestLostNames_KeepsContentsAndLosesNamesByCoin(t *testing.T) {
	m := boot(t, "create a; dirsync; write a x; create b; write b y; rename a c")
	sameSet(t, m.outcomes(simfs.LostNames), "a=x", "a=x b=y", "c=x", "b=y c=x")
}

func TestLostNames_FirstImageHasLostAll(t *testing.T) {
	m := boot(t, "create a; create b; create c; create d; create e")
	for label, image := range m.Images(simfs.LostNames, 1, 3) {
		if label.Number == 0 {
			same(t, state(t, image), "")
		}
	}
}

func TestImages_EveryPolicyHasOneWhenNothingIsUnsynced(t *testing.T) {
	m := boot(t, "create a; write a x; sync a; dirsync")
	for _, policy := range simfs.Policies() {
		sameSet(t, m.outcomes(policy), "a=x")
	}
}

func TestImages_LimitKeepsFirstAndLast(t *testing.T) {
	m := boot(t, "log l; extend l 100; sync l; dirsync")
	for i := range 100 {
		m.run(fmt.Sprintf("at l %d x", i))
	}
	for limit := 2; limit <= 101; limit++ {
		var numbers []int
		for label := range m.Images(simfs.Prefixes, uint64(limit), limit) {
			numbers = append(numbers, label.Number)
		}
		if len(numbers) != limit || numbers[0] != 0 || numbers[limit-1] != 100 {
			t.Fatalf("limit %d shows images %v", limit, numbers)
		}
		for i := 1; i < limit; i++ {
			if numbers[i] <= numbers[i-1] {
				t.Fatalf("limit %d shows images %v", limit, numbers)
			}
		}
	}
}

func TestImages_HalfOfALimitIsForRandomOnes(t *testing.T) {
	m := boot(t, "create a; dirsync; write a A*51200")
	var numbers []int
	for label := range m.Images(simfs.Torn512, 1, 6) {
		numbers = append(numbers, label.Number)
	}
	if len(numbers) != 6 || numbers[0] != 0 || numbers[2] != 99 || numbers[3] != 100 || numbers[5] != 102 {
		t.Errorf("images %v", numbers)
	}
}

func TestImages_LimitOfOneMayBeARandomOne(t *testing.T) {
	m := boot(t, "create a; dirsync; write a A*1024")
	random := 0
	for seed := range uint64(100) {
		for label := range m.Images(simfs.Torn512, seed, 1) {
			if label.Number >= 2 {
				random++
			}
		}
	}
	if random < 30 || random > 70 {
		t.Errorf("%d of 100 images are random ones; about half expected", random)
	}
}

func TestImages_LimitOfOneVariesWithTheSeed(t *testing.T) {
	m := boot(t, "create a; dirsync; write a w; write a x; write a y; write a z")
	numbers := map[int]bool{}
	for seed := range uint64(100) {
		for label := range m.Images(simfs.Prefixes, seed, 1) {
			numbers[label.Number] = true
		}
	}
	if len(numbers) != 5 {
		t.Errorf("100 seeds show %d of 5 images", len(numbers))
	}
}

func TestPolicy_UnknownOnesLeaveWhatWasSynced(t *testing.T) {
	same(t, boot(t, nameAndByte+"; dirsync").after(simfs.Policy(0)), "a=xy")
	same(t, simfs.Policy(77).String(), "Policy(77)")
}

func TestNewestBlock_KeepsTheLastBlockOfTheNewestWriteOfEachFile(t *testing.T) {
	m := boot(t, "create a; create b; dirsync; write a A*512; write b y; write a B*512+C*100")
	sameSet(t, m.outcomes(simfs.NewestBlock), "a=.*1024+C*100 b=y")
}

func TestNewestBlock_LosesNamesByCoin(t *testing.T) {
	m := boot(t, "create a; write a x; write a y; create b")
	sameSet(t, m.outcomes(simfs.NewestBlock), "", "a=.y", "b=", "a=.y b=")
}

func TestGarbled_HasAnythingWhereTheNewestWriteIsLost(t *testing.T) {
	m := boot(t, "log l; extend l 2048; sync l; dirsync; at l 0 O*2048; sync l; at l 500 A*1000")
	fills := map[byte]bool{}
	for label, image := range m.Images(simfs.Garbled, 1, 64) {
		got := content(t, image, "l")
		if string(got[:500]) != strings.Repeat("O", 500) || string(got[1500:]) != strings.Repeat("O", 548) {
			t.Fatalf("image %v: bytes beside the write have changed", label)
		}
		if label.Number == 1 && string(got[500:512]) != strings.Repeat("A", 12) {
			t.Errorf("image %v: the first block of the write is lost", label)
		}
		for _, b := range got[500:1500] {
			fills[b] = true
		}
	}
	if !fills['A'] || !fills['O'] || !fills[0] || !fills[0xff] || len(fills) < 200 {
		t.Errorf("only %d kinds of bytes stand there", len(fills))
	}
}

func TestKillInWrite_EndsACopyIntoAMappingAtAnyByte(t *testing.T) {
	m := boot(t, "log l; extend l 6; sync l; dirsync; at l 0 OOOOOO; mapped l 1 xyz")
	var states []string
	for label, image := range m.Images(simfs.KillInWrite, 1, 0) {
		if label.Number < 3 {
			states = append(states, state(t, image))
		}
	}
	sameSet(t, states, "l=O*6", "l=Ox+O*4", "l=OxyOOO")
	stopped := on(t, m.Image(simfs.KillInWrite, 1))
	same(t, stopped.after(simfs.DropAll), "l=.*6")
	same(t, m.after(simfs.KillProcess), "l=OxyzOO")
}

func TestKillInWrite_IsTheDeathOfTheProcessWhereNothingIsCopied(t *testing.T) {
	for _, script := range []string{nameAndByte, "log l; extend l 6; at l 1 xyz", "log l; extend l 6; mapped l 1 xyz; create a"} {
		m := boot(t, script)
		sameSet(t, m.outcomes(simfs.KillInWrite), m.after(simfs.KillProcess))
	}
}

func TestGarbled_ExtensionsStayZeros(t *testing.T) {
	m := boot(t, "log l; dirsync; extend l 1500")
	sameSetAndCut(t, m.outcomesOf(simfs.Garbled, 200), "l=", "l=.*512", "l=.*1024", "l=.*1500")
}
