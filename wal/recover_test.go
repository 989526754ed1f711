package wal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// Where a log ends.

func TestRecover_DeathOfTheProcessKeepsWhatWasFlushed(t *testing.T) {
	j := begin(t, "put a b; flush; put c; sync; put d; flush; put lost")
	same(t, j.after(simfs.KillProcess), "a b c d")
}

func TestRecover_PowerCutKeepsWhatWasSynced(t *testing.T) {
	j := begin(t, "put a; sync; put b c; flush")
	same(t, j.after(simfs.DropAll), "a")
}

func TestRecover_NewLogIsEmpty(t *testing.T) {
	j := begin(t, "")
	same(t, j.after(simfs.KillProcess), "")
	same(t, j.after(simfs.DropAll), "")
}

func TestRecover_GoesThroughSegmentsWhateverTheirNames(t *testing.T) {
	j := begin(t, "put a; flush; rotate; put b; flush; rotate; rotate; put c; sync")
	fs := j.killed()
	one, three := segmentPath(t, fs, 1), segmentPath(t, fs, 4)
	must(t, fs.Rename(one, dir+"/temp"))
	must(t, fs.Rename(three, one))
	must(t, fs.Rename(dir+"/temp", three))
	same(t, j.recovered(fs), "a b c")
}

func TestRecover_BeginsWithTheSegmentItIsTold(t *testing.T) {
	j := begin(t, "put a; flush; rotate; put b; flush; rotate; put c; sync")
	j.first = 2
	same(t, j.after(simfs.KillProcess), "b c")
	j.first = 3
	same(t, j.after(simfs.DropAll), "c")
}

func TestRecover_RecordsOfManyBlocksAndSegmentsArePutTogether(t *testing.T) {
	j := blank(t, simfs.New(), dir)
	j.opts.FirstSegmentBytes, j.opts.MaxSegmentBytes = 200<<10, 200<<10
	j.create().run("put a*100000 b c*32740; sync; put d*90000; flush; put e*180000 f; sync")
	same(t, j.after(simfs.DropAll), "a*100000 b c*32740 d*90000 e*180000 f")
}

func TestRecover_SaysHowMuchItFoundAndWhereItEnded(t *testing.T) {
	j := begin(t, "put a; flush; rotate; put bb ccc; flush")
	_, found, err := j.recover(j.killed())
	same(t, fmt.Sprintf("%+v %v", found, err),
		fmt.Sprintf("%+v <nil>", Recovered{Records: 3, Bytes: 6, Last: 2, Needed: []string{"/db/000001.wal", "/db/000002.wal"}, End: Position{2, headerLen + 2*chunkHeaderLen + 5}}))
}

func TestRecover_LastIsTheHighestNumberEvenOfSegmentsThatAreNotNeeded(t *testing.T) {
	j := begin(t, "put a; flush; rotate; rotate")
	j.first, j.exists = 9, false
	_, found, err := j.recover(j.killed())
	if found.Last != 3 || found.End != (Position{}) || err != nil {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestRecover_ErrorOfReplayEndsItAndIsReturned(t *testing.T) {
	j := begin(t, "put a b; flush")
	stop := errors.New("stop")
	calls := 0
	_, err := Recover(RecoverOptions{FS: j.fs, Paths: paths(t, j.fs, dir), Store: testStore, First: 1}, func([]byte) (uint64, error) {
		calls++
		return 0, stop
	})
	if !errors.Is(err, stop) || calls != 1 || !strings.Contains(err.Error(), "000001.wal") {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestRecover_CorruptionThatReplayFindsIsLocatedInTheFile(t *testing.T) {
	j := begin(t, "put a bb; flush")
	_, err := Recover(RecoverOptions{FS: j.fs, Paths: paths(t, j.fs, dir), Store: testStore, First: 1}, func(p []byte) (uint64, error) {
		if len(p) == 2 {
			return 0, corrupt.Errorf("batch", "bad").At(1)
		}
		return 1, nil
	})
	var e *corrupt.Error
	if want := int64(headerLen + chunkHeaderLen + 1 + chunkHeaderLen + 1); !errors.As(err, &e) || e.Offset != want || e.File != dir+"/000001.wal" {
		t.Errorf("%v, want offset %d", err, want)
	}
}

// Power cuts that are the end of the log.

func TestRecover_LaterRecordWithoutTheEarlierIsEndOfLogAfterAPowerCut(t *testing.T) {
	j := begin(t, "put a; sync; put b; flush; put c; flush")
	fs := j.cut()
	damage(t, fs, "b")
	same(t, j.recovered(fs), "a")
}

func TestRecover_LaterBlockWithoutTheEarlierIsEndOfLogAfterAPowerCut(t *testing.T) {
	j := blank(t, simfs.New(), dir)
	j.opts.FirstSegmentBytes, j.opts.MaxSegmentBytes = 200<<10, 200<<10
	j.create().run("put a; sync; put b*80000; flush; put c; flush; put d; flush")
	for label, image := range j.sim.Images(simfs.Omissions, 1, 0) {
		if got := j.recovered(image); !slices.Contains([]string{"a", "a b*80000", "a b*80000 c"}, got) {
			t.Errorf("%v: %s", label, got)
		}
	}
}

func TestRecover_TornLastRecordIsEndOfLog(t *testing.T) {
	j := blank(t, simfs.New(), dir)
	j.opts.FirstSegmentBytes, j.opts.MaxSegmentBytes = 200<<10, 200<<10
	j.create().run("put a; sync; put b*80000")
	must(t, j.log.current.write(true)) // the power fails before this write is synced
	for _, policy := range []simfs.Policy{simfs.Torn512, simfs.Torn4096} {
		for label, image := range j.sim.Images(policy, 1, 0) {
			if got := j.recovered(image); got != "a" && got != "a b*80000" {
				t.Errorf("%v, %v: %s", policy, label, got)
			}
		}
	}
}

func TestRecover_TailOfASegmentLostBeforeTheNextOneIsEndOfLog(t *testing.T) {
	j := begin(t, "put a; sync; put b; flush; rotate; put c; flush")
	fs := j.cut()
	damage(t, fs, "b")
	same(t, j.recovered(fs), "a")
}

func TestRecover_SegmentLostBetweenOthersIsEndOfLogWhenNothingVouchesForIt(t *testing.T) {
	j := begin(t, "put a; sync; rotate; put b; flush; rotate; put c; flush")
	fs := j.cut()
	must(t, fs.Remove(segmentPath(t, fs, 2)))
	same(t, j.recovered(fs), "a")
}

func TestRecover_SegmentWhoseHeaderWasNeverWrittenIsASpare(t *testing.T) {
	j := begin(t, "put a; sync; rotate; put b; flush")
	same(t, j.after(simfs.DropAll), "a")
	same(t, j.after(simfs.LaterWithoutEarlier), "a") // of segment 2 only the record is left
}

func TestRecover_FileTooShortForAHeaderIsASpare(t *testing.T) {
	for _, n := range []int{0, 1, headerLen - 1} {
		j := begin(t, "put a; sync; prepare")
		fs := j.killed()
		edit(t, fs, dir+"/000002.wal", func([]byte) []byte { return make([]byte, n) })
		same(t, j.recovered(fs), "a")
	}
}

func TestRecover_RecycledFileWhoseNewHeaderIsLostIsIgnored(t *testing.T) {
	j := begin(t, "put a; sync; rotate; put b; sync; retire 2; rotate; put c; flush")
	if segmentPath(t, j.fs, 3) != dir+"/000001.wal" {
		t.Fatal("segment 1 was not recycled")
	}
	same(t, j.after(simfs.KillProcess), "b c")
	same(t, j.after(simfs.DropAll), "b")
	same(t, j.after(simfs.LaterWithoutEarlier), "b")
}

func TestRecover_RecycledFileWithItsOldRecordsHasOnlyTheNew(t *testing.T) {
	j := begin(t, "put a b c d e f; sync; rotate; put g; sync; retire 2; rotate; put h; flush")
	same(t, j.after(simfs.KillProcess), "g h")
	same(t, j.after(simfs.KeepAll), "g h")
}

func TestRecover_FailedHeaderWriteLeavesALogThatOpens(t *testing.T) {
	j := begin(t, "put a; flush; prepare")
	j.sim.FailCall(simfs.Fault{Match: simfs.Kinds(simfs.OpWrite)})
	if err := j.try("rotate"); err == nil {
		t.Fatal("rotate succeeded")
	}
	same(t, j.after(simfs.KillProcess), "a")
	same(t, j.after(simfs.KeepAll), "a")
}

// Rule 1.

func TestRecover_Rule1_DamagedHeaderIsCorruption(t *testing.T) {
	for _, n := range []SegmentNum{1, 2, 3} {
		for off := range int64(headerLen) {
			j := begin(t, "put a; flush; rotate; put b; flush; rotate; put c; flush")
			fs := j.cut()
			flip(t, fs, n, off)
			if got := j.recovered(fs); !strings.HasPrefix(got, "corrupt: ") {
				t.Errorf("segment %d, byte %d: %s", n, off, got)
			}
		}
	}
}

func TestRecover_Rule1_FileShorterThanItsHeaderStatesIsCorruption(t *testing.T) {
	for _, n := range []SegmentNum{1, 2, 3} {
		for _, length := range []int{headerLen, headerLen + 20, 4095} {
			j := begin(t, "put a; sync; rotate; put b; sync; rotate; put c; sync")
			fs := j.cut()
			edit(t, fs, segmentPath(t, fs, n), func(data []byte) []byte { return data[:length] })
			isCorrupt(t, j.recovered(fs), "but was made with 4096")
		}
	}
}

func TestRecover_FileLongerThanItsHeaderStatesIsFine(t *testing.T) {
	j := begin(t, "put a; flush")
	fs := j.killed()
	edit(t, fs, segmentPath(t, fs, 1), func(data []byte) []byte { return append(data, make([]byte, 5000)...) })
	same(t, j.recovered(fs), "a")
}

// Rule 2.

func TestRecover_Rule2_MissingFirstSegmentIsCorruptionWhenItExisted(t *testing.T) {
	j := begin(t, "put a; sync; rotate; put b; sync")
	fs := j.cut()
	must(t, fs.Remove(segmentPath(t, fs, 1)))
	isCorrupt(t, j.recovered(fs), "segment 1, which held records that no table holds, is missing")
}

func TestRecover_MissingFirstSegmentIsAnEmptyLogWhenItNeedNotExist(t *testing.T) {
	j := blank(t, simfs.New(), dir)
	same(t, j.recovered(j.fs), "")
}

func TestRecover_MissingFirstSegmentIsCorruptionWhenALaterOneOfItsLogExists(t *testing.T) {
	// A log's first segment is durable before the second is begun, and nobody has said yet that it
	// may go. So whoever said that it need not exist is out of date.
	j := blank(t, simfs.New(), dir)
	j.opts.Spares = 0
	j.create().run("put a; sync; rotate; put b; sync; retire 2")
	j.first, j.exists = 1, false
	isCorrupt(t, j.recovered(j.cut()), "segment 1")
}

// Rule 3.

func TestRecover_Rule3_DamageThatALaterRecordVouchesForIsCorruption(t *testing.T) {
	j := begin(t, "put a b; sync; put c; flush")
	for _, name := range []string{"a", "b"} {
		fs := j.cut()
		damage(t, fs, name)
		isCorrupt(t, j.recovered(fs), "although the log was synced up to segment 1 offset 162")
	}
}

func TestRecover_Rule3_DamageThatALaterSegmentVouchesForIsCorruption(t *testing.T) {
	j := begin(t, "put a; sync; rotate; rotate; put b; flush")
	fs := j.cut()
	damage(t, fs, "a")
	isCorrupt(t, j.recovered(fs), "none at offset 128 of segment 1, although the log was synced up to segment 1 offset 145")
}

func TestRecover_Rule3_MissingSegmentThatALaterOneVouchesForIsCorruption(t *testing.T) {
	j := begin(t, "put a; sync; rotate; put b; sync; rotate; put c; flush")
	fs := j.cut()
	must(t, fs.Remove(segmentPath(t, fs, 2)))
	isCorrupt(t, j.recovered(fs), "although the log was synced up to segment 2")
}

func TestRecover_Rule3_DamageInALongRecordIsFoundFromItsLaterChunks(t *testing.T) {
	// The chunks of a record all vouch for what was synced before it, and no more.
	j := blank(t, simfs.New(), dir)
	j.opts.FirstSegmentBytes, j.opts.MaxSegmentBytes = 200<<10, 200<<10
	j.create().run("put a; sync; put b*80000; flush")
	fs := j.cut()
	damage(t, fs, "a")
	isCorrupt(t, j.recovered(fs), "synced up to segment 1 offset 145")
	fs = j.cut()
	damage(t, fs, "b*80000")
	same(t, j.recovered(fs), "a")
}

func TestRecover_Rule3_BackgroundSyncVouchesToo(t *testing.T) {
	j := begin(t, "put a; flush; put b; flush; syncer; put c; flush")
	fs := j.cut()
	damage(t, fs, "b")
	isCorrupt(t, j.recovered(fs), "synced up to")
}

func TestRecover_Rule3_RecordAppendedBeforeTheSyncEndsVouchesOnlyForTheOneBefore(t *testing.T) {
	j := begin(t, "put a; sync; put b; flush; put c; syncer; flush")
	fs := j.cut()
	damage(t, fs, "b") // c was appended before the sync that covers b
	same(t, j.recovered(fs), "a")
}

func TestRecover_Rule3_ReachesAcross254SegmentsAndNoFurther(t *testing.T) {
	for _, c := range []struct {
		between int
		want    string
	}{{254, "corrupt"}, {255, "end"}, {256, "end"}, {257, "end"}} {
		j := blank(t, simfs.New(), dir)
		j.opts.FirstSegmentBytes, j.opts.MaxSegmentBytes = headerLen+64, headerLen+64
		j.create().run("put a; sync" + strings.Repeat("; rotate", c.between) + "; put b; flush")
		fs := j.cut()
		damage(t, fs, "a")
		got := "end"
		if text := j.recovered(fs); text != "" {
			got, _, _ = strings.Cut(text, ":")
		}
		if got != c.want {
			t.Errorf("%d segments later: %s, want %s", c.between, got, c.want)
		}
	}
}

// Rule 4.

func TestRecover_Rule4_DamageWithIntactRecordsBehindItIsCorruptionWhileTheCacheLives(t *testing.T) {
	j := begin(t, "put a b c; flush")
	for _, name := range []string{"a", "b"} {
		fs := j.killed()
		damage(t, fs, name)
		isCorrupt(t, j.recovered(fs), "one that was written later follows")
	}
}

func TestRecover_Rule4_DamageBeforeALaterSegmentIsCorruptionWhileTheCacheLives(t *testing.T) {
	j := begin(t, "put a; flush; rotate")
	fs := j.killed()
	damage(t, fs, "a")
	isCorrupt(t, j.recovered(fs), "although segment 2 says that this one has 145 bytes")
}

func TestRecover_Rule4_MissingSegmentBeforeALaterOneIsCorruptionWhileTheCacheLives(t *testing.T) {
	j := begin(t, "put a; flush; rotate; put b; flush; rotate")
	fs := j.killed()
	must(t, fs.Remove(segmentPath(t, fs, 2)))
	isCorrupt(t, j.recovered(fs), "segment 3 was begun later")
}

func TestRecover_Rule4_DoesNotHoldWithoutACacheID(t *testing.T) {
	j := blank(t, simfs.New(), dir)
	j.opts.CacheID = ""
	j.create().run("put a b; flush")
	fs := j.killed()
	damage(t, fs, "a")
	same(t, j.recovered(fs), "")
}

func TestRecover_Rule4_DoesNotHoldWhenTheCacheIDWasUnknownAndStillIs(t *testing.T) {
	j := blank(t, simfs.New(), dir)
	j.opts.CacheID = ""
	j.create().run("put a b; flush; rotate")
	fs := j.killed()
	damage(t, fs, "a")
	found, err := Recover(RecoverOptions{FS: fs, Paths: paths(t, fs, dir), Store: testStore, First: 1, FirstExists: true},
		func([]byte) (uint64, error) { return 0, errors.New("there is no record") })
	if found.Records != 0 || err != nil {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestRecover_Rule4_DoesNotHoldAfterAPowerCutThatEverythingSurvived(t *testing.T) {
	j := begin(t, "put a b c; flush")
	fs := j.cut()
	damage(t, fs, "a")
	same(t, j.recovered(fs), "")
}

// Rule 5.

func TestRecover_Rule5_NextSegmentStatesAnotherLength(t *testing.T) {
	for _, c := range []struct {
		change int64
		want   string
	}{
		{-1, "reaches beyond byte 161"},
		{-17, "states mark 2 for the segment before, whose last record has 1"}, // where the last record begins
		{-18, "reaches beyond byte 144"},
		{1, "segment 2 says that this one has 163 bytes"},
	} {
		j := begin(t, "put a b; flush; rotate; put c; flush")
		fs := j.killed()
		rehead(t, fs, 2, func(h *header) { h.prevLen += c.change })
		isCorrupt(t, j.recovered(fs), c.want)
	}
}

func TestRecover_Rule5_NextSegmentStatesAnotherMark(t *testing.T) {
	j := begin(t, "put a b; flush; rotate; put c; flush")
	fs := j.cut()
	rehead(t, fs, 2, func(h *header) { h.prevMark = 7 })
	isCorrupt(t, j.recovered(fs), "states mark 7 for the segment before, whose last record has 2")
}

func TestRecover_Rule5_MarkReachesOverEmptySegments(t *testing.T) {
	j := begin(t, "put a; flush; rotate; rotate; put b; flush")
	same(t, j.after(simfs.KillProcess), "a b")
	fs := j.killed()
	rehead(t, fs, 3, func(h *header) { h.prevMark = 7 })
	isCorrupt(t, j.recovered(fs), "states mark 7")
}

// Rule 6.

// reopened returns a file system after a crash on which a second opening has begun a log at segment
// n, and written script to it.
func reopened(j *journal, n SegmentNum, script string) (*journal, *simfs.FS) {
	fs := j.killed()
	again := blank(j.t, fs, dir)
	again.files, again.epochs = 100, 100
	again.opts.First = n
	again.create().run(script)
	again.records = append(slices.Clone(j.records), again.records...)
	again.first, again.exists = j.first, j.exists
	return again, fs
}

func TestRecover_LaterOpeningThatWroteNothingIsIgnored(t *testing.T) {
	j := begin(t, "put a; sync; rotate; put b; flush")
	again, fs := reopened(j, 3, "")
	same(t, again.recovered(fs), "a b")
}

func TestRecover_Rule6_LaterOpeningThatHoldsRecordsIsCorruption(t *testing.T) {
	j := begin(t, "put a; sync; rotate; put b; flush")
	for _, script := range []string{"put c; flush", "rotate; put c; flush", "put c; sync; rotate; put d; sync"} {
		again, fs := reopened(j, 3, script)
		isCorrupt(t, again.recovered(fs), "a later opening holds records, so what said that the log begins at segment 1 is out of date")
	}
}

func TestRecover_Rule6_HoldsAcrossAGapInTheNumbers(t *testing.T) {
	j := begin(t, "put a; sync")
	again, fs := reopened(j, 9, "put c; flush")
	isCorrupt(t, again.recovered(fs), "a later opening holds records")
}

// Files that do not belong.

func TestRecover_TwoFilesWithOneNumberAreCorruption(t *testing.T) {
	j := begin(t, "put a; flush")
	fs := j.killed()
	data, err := readAll(fs, segmentPath(t, fs, 1))
	must(t, err)
	f, err := fs.Create(dir + "/000009.wal")
	must(t, err)
	_, err = f.Write(data)
	must(t, err)
	isCorrupt(t, j.recovered(fs), "number 1 stands in "+dir+"/")
}

func TestRecover_SegmentOfAnotherStoreIsCorruption(t *testing.T) {
	j := begin(t, "put a; flush")
	j.opts.Store++
	isCorrupt(t, j.recovered(j.killed()), "belongs to store")
}

func TestRecover_SegmentOfANewerVersionIsTooNew(t *testing.T) {
	j := begin(t, "put a; flush")
	fs := j.killed()
	edit(t, fs, segmentPath(t, fs, 1), func(data []byte) []byte {
		data[8] = formatVersion + 1
		sealHeader(data)
		return data
	})
	_, _, err := j.recover(fs)
	if !errors.Is(err, corrupt.ErrTooNew) || !strings.Contains(err.Error(), "000001.wal") {
		t.Errorf("%v", err)
	}
}

func TestRecover_FileThatCannotBeReadIsAnErrorAndNoCorruption(t *testing.T) {
	for nth := 1; ; nth++ {
		j := begin(t, "put a; sync; rotate; put b; sync")
		fs := j.cut()
		fault := fs.FailCall(simfs.Fault{Nth: nth, Match: simfs.Kinds(simfs.OpOpen, simfs.OpRead, simfs.OpClose, simfs.OpStat)})
		_, _, err := j.recover(fs)
		if fault.Fired() == 0 {
			break
		}
		if !errors.Is(err, simfs.IOError) || errors.Is(err, corrupt.ErrCorrupt) {
			t.Errorf("call %d fails: %v", nth, err)
		}
	}
}

// Damage that goes unnoticed. These state limits, not wishes.

func TestRecover_Unnoticed_DamageToTheLastRecordsThatNoLaterOneVouchesForAfterAPowerCut(t *testing.T) {
	j := begin(t, "put a; sync; put b; sync")
	fs := j.cut()
	damage(t, fs, "b")
	same(t, j.recovered(fs), "a")
}

func TestRecover_Unnoticed_DamageToTheVeryLastRecordWhileTheCacheLives(t *testing.T) {
	j := begin(t, "put a; sync; put b; sync")
	fs := j.killed()
	damage(t, fs, "b")
	same(t, j.recovered(fs), "a")
}

func TestRecover_Unnoticed_LastSegmentIsMissing(t *testing.T) {
	// Its records vouch for each other, and nothing else says that there was a segment 2: not even
	// while the cache lives.
	j := begin(t, "put a; sync; rotate; put b; sync; put c; sync; put d; sync")
	for _, fs := range []*simfs.FS{j.killed(), j.cut()} {
		must(t, fs.Remove(segmentPath(t, fs, 2)))
		same(t, j.recovered(fs), "a")
	}
}

func TestRecover_Unnoticed_LastSegmentHasAHeaderOfZerosOrIsCutWithinIt(t *testing.T) {
	j := begin(t, "put a; sync; rotate; put b; sync; put c; sync")
	for _, change := range []func(data []byte) []byte{
		func(data []byte) []byte { clear(data[:headerLen]); return data },
		func(data []byte) []byte { return data[:headerLen-1] },
		func([]byte) []byte { return nil },
	} {
		fs := j.killed()
		edit(t, fs, segmentPath(t, fs, 2), change)
		same(t, j.recovered(fs), "a")
	}
}

func TestRecover_EveryFlippedBitIsFoundOrHarmlessOrAtTheUnvouchedEnd(t *testing.T) {
	j := begin(t, "put a b; sync; rotate; put c; sync; put d e; flush")
	whole := "a b c d e"
	for _, c := range []struct {
		fs      *simfs.FS
		allowed []string // beside the whole log and corruption
	}{
		{j.killed(), []string{"a b c d"}},
		{j.cut(), []string{"a b c d", "a b c"}}, // d and e were flushed and not synced
	} {
		for n := SegmentNum(1); n <= 2; n++ {
			for off := range int64(400) {
				fs := c.fs.Image(simfs.KillProcess, 1)
				flip(t, fs, n, off)
				got := j.recovered(fs)
				if got != whole && !strings.HasPrefix(got, "corrupt: ") && !slices.Contains(c.allowed, got) {
					t.Errorf("segment %d, byte %d: %s", n, off, got)
				}
			}
		}
	}
}

func TestRecover_EveryTruncationIsFoundOrLosesOnlyTheLastSegment(t *testing.T) {
	j := begin(t, "put a b; sync; rotate; put c; sync; put d; sync")
	for n := SegmentNum(1); n <= 2; n++ {
		for length := range 400 {
			fs := j.cut()
			edit(t, fs, segmentPath(t, fs, n), func(data []byte) []byte { return data[:length] })
			got := j.recovered(fs)
			if lost := n == 2 && length < headerLen && got == "a b"; !lost && !strings.HasPrefix(got, "corrupt: ") {
				t.Errorf("segment %d cut to %d bytes: %s", n, length, got)
			}
		}
	}
}

// HoldsRecords.

func TestHoldsRecords_TellsUsedSegmentsFromUnused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(data []byte) []byte
		want   bool
	}{
		{"with a record", func(data []byte) []byte { return data }, true},
		{"empty", func(data []byte) []byte { clear(data[headerLen:]); return data }, false},
		{"zeros", func(data []byte) []byte { clear(data); return data }, false},
		{"of no bytes", func(data []byte) []byte { return nil }, false},
		{"cut in its header", func(data []byte) []byte { return data[:headerLen-1] }, false},
		{"with a damaged header", func(data []byte) []byte { data[30] ^= 1; return data }, true},
		{"of a newer version", func(data []byte) []byte { data[8]++; sealHeader(data); return data }, true},
		{"of another store", func(data []byte) []byte { data[headerStore]++; sealHeader(data); return data }, true},
		{"with a damaged first record and an intact one", func(data []byte) []byte { data[headerLen] ^= 1; return data }, true},
	} {
		fs := begin(t, "put a b; flush").killed()
		edit(t, fs, dir+"/000001.wal", c.change)
		if got, err := HoldsRecords(fs, dir+"/000001.wal"); got != c.want || err != nil {
			t.Errorf("a segment %s: %v, %v", c.name, got, err)
		}
	}
}

func TestHoldsRecords_ReadsOnlyTheHeaderOfWhatIsNoSegment(t *testing.T) {
	huge := &fixed{files: map[string][]byte{"/1.wal": make([]byte, headerLen)}, size: 1 << 40}
	huge.files["/1.wal"][0] = 1
	if holds, err := HoldsRecords(huge, "/1.wal"); !holds || err != nil {
		t.Errorf("%v, %v", holds, err)
	}
}

func TestRecover_RefusesALogSegmentThatIsTooLong(t *testing.T) {
	h := header{purpose: PurposeLog, room: headerLen, store: 7, number: 1}
	huge := &fixed{files: map[string][]byte{"/1.wal": append(h.encode(), 0)}, size: maxLogSegmentLen + 1}
	_, err := Recover(RecoverOptions{FS: huge, Paths: []string{"/1.wal"}, Store: 7, First: 1}, func([]byte) (uint64, error) { return 0, nil })
	if !errors.Is(err, corrupt.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}
