package wal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// book is a Single under test.
type book struct {
	t    *testing.T
	sim  *simfs.FS
	log  *Single
	opts SingleOptions

	written []string
	acked   int // of these, how many Append acknowledged
}

// open makes a Single with room for a few short records.
func open(t *testing.T) *book {
	t.Helper()
	b := &book{t: t, sim: simfs.New()}
	must(t, b.sim.MkdirAll(dir))
	b.opts = SingleOptions{
		FS: b.sim, Path: dir + "/MANIFEST", Purpose: PurposeManifest, Store: testStore, Number: 3,
		CacheID: b.sim.CacheID(dir), Epoch: 77, Room: 512,
	}
	log, err := CreateSingle(b.opts)
	must(t, err)
	must(t, b.sim.SyncDir(dir))
	b.log = log
	return b
}

// put appends records, all of which must succeed.
func (b *book) put(names ...string) *book {
	b.t.Helper()
	for _, name := range names {
		must(b.t, b.try(name))
	}
	return b
}

func (b *book) try(name string) error {
	b.written = append(b.written, name)
	err := b.log.Append(payload(name))
	if err == nil {
		b.acked = len(b.written)
	}
	return err
}

// recovered describes what is found on a file system, as journal.recovered does.
func (b *book) recovered(fs *simfs.FS, seal *Seal) string {
	b.t.Helper()
	opts := b.opts
	opts.FS, opts.CacheID = fs, fs.CacheID(dir)
	names := map[string]string{}
	for _, name := range b.written {
		names[string(payload(name))] = name
	}
	var found []string
	err := RecoverSingle(opts, seal, func(p []byte) error {
		name, ok := names[string(p)]
		if !ok {
			return fmt.Errorf("record %.40q was never written", p)
		}
		found = append(found, name)
		return nil
	})
	switch {
	case err == nil:
		return strings.Join(found, " ")
	case errors.Is(err, corrupt.ErrCorrupt):
		return "corrupt: " + detail(err)
	default:
		return "error: " + err.Error()
	}
}

// whole is what is recovered when nothing is missing.
func (b *book) whole() string { return strings.Join(b.written, " ") }

// less is what is recovered when the last record is missing.
func (b *book) less() string { return strings.Join(b.written[:len(b.written)-1], " ") }

func (b *book) seal() *Seal {
	b.t.Helper()
	seal, err := b.log.Seal()
	must(b.t, err)
	return &seal
}

// changed returns the file system after a crash, with other contents of the file.
func (b *book) changed(policy simfs.Policy, change func(data []byte) []byte) *simfs.FS {
	b.t.Helper()
	fs := b.sim.Image(policy, 1)
	edit(b.t, fs, b.opts.Path, change)
	return fs
}

func TestSingle_EveryRecordIsDurableWhenAppendReturns(t *testing.T) {
	b := open(t).put("a", "b")
	same(t, b.recovered(b.sim.Image(simfs.DropAll, 1), nil), "a b")
	b.put("c")
	if trace := b.sim.Trace().String(); !strings.HasSuffix(trace, " write MANIFEST off=162 n=17\n11 sync MANIFEST\n") {
		t.Errorf("operations:\n%s", trace)
	}
}

func TestSingle_WithoutRecordsIsEmpty(t *testing.T) {
	b := open(t)
	same(t, b.recovered(b.sim.Image(simfs.KillProcess, 1), nil), "")
}

func TestSingle_GrowsByDoubling(t *testing.T) {
	b := open(t)
	var sizes []int64
	for i := range 100 {
		b.put(fmt.Sprintf("%d.*40", i))
		if size := b.log.segment.log.Size(); len(sizes) == 0 || sizes[len(sizes)-1] != size {
			sizes = append(sizes, size)
		}
	}
	same(t, fmt.Sprint(sizes), "[512 1024 2048 4096 8192]")
	same(t, b.recovered(b.sim.Image(simfs.DropAll, 1), nil), b.whole())
}

func TestSingle_TakesARecordLargerThanItself(t *testing.T) {
	b := open(t).put("a", "b*200000", "c")
	same(t, b.recovered(b.sim.Image(simfs.DropAll, 1), nil), "a b*200000 c")
}

func TestSingle_SizeIsTheBytesInUse(t *testing.T) {
	b := open(t)
	if got := b.put("a", "bb").log.Size(); got != headerLen+2*chunkHeaderLen+3 {
		t.Errorf("%d", got)
	}
}

func TestSingle_FullDiskDoesNotEndIt(t *testing.T) {
	b := open(t).put("a")
	b.sim.FailCall(simfs.Fault{Match: simfs.Kinds(simfs.OpExtend), Err: simfs.NoSpace, Always: true})
	for range 3 {
		if err := b.log.Append(payload("big*5000")); !errors.Is(err, simfs.NoSpace) || b.log.Err() != nil {
			t.Fatalf("%v, %v", err, b.log.Err())
		}
	}
	b.put("b") // there is room for this one
	b.sim.Clear()
	b.put("c*5000", "d")
	same(t, b.recovered(b.sim.Image(simfs.DropAll, 1), nil), "a b c*5000 d")
}

func TestSingle_FailedWriteOrSyncSticks(t *testing.T) {
	for _, kind := range []simfs.Kind{simfs.OpWrite, simfs.OpSync} {
		b := open(t).put("a")
		b.sim.FailCall(simfs.Fault{Match: simfs.Kinds(kind), DropDirty: true})
		for range 3 {
			if err := b.log.Append([]byte("b")); !errors.Is(err, simfs.IOError) {
				t.Errorf("%v: Append returns %v", kind, err)
			}
		}
		if _, err := b.log.Seal(); !errors.Is(err, simfs.IOError) || !errors.Is(b.log.Err(), simfs.IOError) {
			t.Errorf("%v: Seal returns %v, Err %v", kind, err, b.log.Err())
		}
		same(t, b.recovered(b.sim.Image(simfs.DropAll, 1), nil), "a")
	}
}

func TestSingle_RefusesARecordThatItCanNeverHold(t *testing.T) {
	b := open(t).put("a")
	b.log.segment.end = maxSegmentLen - 100 // as if it had grown up to there
	if err := b.log.Append(make([]byte, 1000)); err == nil || b.log.Err() != nil {
		t.Errorf("%v, %v", err, b.log.Err())
	}
}

func TestCreateSingle_FailureLeavesNothing(t *testing.T) {
	for nth := 1; ; nth++ {
		fs := simfs.New()
		must(t, fs.MkdirAll(dir))
		fault := fs.FailCall(simfs.Fault{Nth: nth})
		log, err := CreateSingle(SingleOptions{FS: fs, Path: dir + "/M", Purpose: PurposeManifest, Store: 1, Number: 1, Epoch: 1, Room: 512})
		if fault.Fired() == 0 {
			must(t, err)
			must(t, log.Close())
			return
		}
		if names, _ := fs.List(dir); !errors.Is(err, simfs.IOError) || len(names) > 0 {
			t.Errorf("call %d fails: %v, left %s", nth, err, names)
		}
	}
}

func TestCreateSingle_RefusesRoomForNoHeader(t *testing.T) {
	for _, room := range []int64{0, headerLen - 1} {
		fs := simfs.New()
		if log, err := CreateSingle(SingleOptions{FS: fs, Path: "/M", Purpose: PurposeManifest, Store: 1, Number: 1, Epoch: 1, Room: room}); err == nil {
			_ = log.Close()
			t.Errorf("%d bytes", room)
		}
	}
}

// Seals.

func TestSeal_IsExact(t *testing.T) {
	b := open(t).put("a", "b*700", "c")
	seal := b.seal()
	if seal.Length != b.log.Size() {
		t.Errorf("%d bytes are sealed of %d", seal.Length, b.log.Size())
	}
	same(t, b.recovered(b.sim, seal), "a b*700 c")
	b.put("d")
	same(t, b.recovered(b.sim, seal), "a b*700 c") // what was sealed, and not what came later
}

func TestSeal_OfAnEmptyOneIsItsHeader(t *testing.T) {
	b := open(t)
	seal := b.seal()
	if seal.Length != headerLen {
		t.Errorf("%d bytes", seal.Length)
	}
	same(t, b.recovered(b.sim, seal), "")
}

func TestSeal_EveryFlippedBitIsFound(t *testing.T) {
	b := open(t).put("a", "b", "c*20")
	seal := b.seal()
	for bit := range int(seal.Length) * 8 {
		fs := b.changed(simfs.KeepAll, func(data []byte) []byte { data[bit/8] ^= 1 << (bit % 8); return data })
		if got := b.recovered(fs, seal); !strings.HasPrefix(got, "corrupt: ") {
			t.Errorf("bit %d: %s", bit, got)
		}
	}
}

func TestSeal_BytesBehindItDoNotMatter(t *testing.T) {
	b := open(t).put("a", "b")
	seal := b.seal()
	fs := b.changed(simfs.KeepAll, func(data []byte) []byte {
		for i := int(seal.Length); i < len(data); i++ {
			data[i] = 0xff
		}
		return data
	})
	same(t, b.recovered(fs, seal), "a b")
}

func TestSeal_EveryTruncationIsFound(t *testing.T) {
	b := open(t)
	for i := range 40 {
		b.put(fmt.Sprintf("%d.*50", i))
	}
	seal := b.seal()
	for n := range int(seal.Length) {
		fs := b.changed(simfs.KeepAll, func(data []byte) []byte { return data[:n] })
		if got := b.recovered(fs, seal); !strings.HasPrefix(got, "corrupt: ") {
			t.Fatalf("cut to %d bytes: %s", n, got)
		}
	}
}

func TestSeal_ThatIsWrongIsCorruption(t *testing.T) {
	b := open(t).put("a", "b")
	for _, seal := range []Seal{
		{},
		{Length: -1},
		{Length: headerLen - 1},
		{Length: 1 << 40},
		{Length: b.seal().Length, Checksum: b.seal().Checksum + 1},
		{Length: b.seal().Length - 1, Checksum: b.seal().Checksum},
		{Length: b.seal().Length + 1, Checksum: b.seal().Checksum},
	} {
		if got := b.recovered(b.sim, &seal); !strings.HasPrefix(got, "corrupt: ") {
			t.Errorf("%+v: %s", seal, got)
		}
	}
}

func TestSeal_ThatEndsWithinARecordIsCorruption(t *testing.T) {
	b := open(t).put("a", "b")
	data, err := readAll(b.sim, b.opts.Path)
	must(t, err)
	for _, length := range []int64{headerLen + 1, b.log.Size() - 1, b.log.Size() + 1} {
		seal := Seal{Length: length, Checksum: checksum(data[:length])}
		if got := b.recovered(b.sim, &seal); !strings.HasPrefix(got, "corrupt: ") {
			t.Errorf("seal of %d bytes, the last record ends at %d: %s", length, b.log.Size(), got)
		}
	}
}

// Without a seal.

func TestSingle_EveryFlippedBitIsFoundOrLosesOnlyTheLastRecord(t *testing.T) {
	for _, policy := range []simfs.Policy{simfs.KillProcess, simfs.KeepAll} {
		b := open(t).put("a", "b", "c*20", "d")
		for bit := range 512 * 8 {
			fs := b.changed(policy, func(data []byte) []byte { data[bit/8] ^= 1 << (bit % 8); return data })
			got := b.recovered(fs, nil)
			inLast := bit/8 >= int(b.log.Size())-chunkHeaderLen-1 && bit/8 < int(b.log.Size())
			switch {
			case strings.HasPrefix(got, "corrupt: "), got == b.less() && inLast:
			case got == b.whole() && bit/8 >= int(b.log.Size()):
			default:
				t.Errorf("%v, bit %d: %s", policy, bit, got)
			}
		}
	}
}

func TestSingle_Unnoticed_DamageToTheLastRecordBeforeItWasSealed(t *testing.T) {
	b := open(t).put("a", "b")
	fs := b.changed(simfs.KillProcess, func(data []byte) []byte { data[b.log.Size()-1] ^= 1; return data })
	same(t, b.recovered(fs, nil), "a")
}

func TestSingle_DamageToALongLastRecordIsFoundWhileTheCacheLives(t *testing.T) {
	b := open(t).put("a", "b*100000")
	change := func(data []byte) []byte { data[headerLen+40] ^= 1; return data }
	isCorrupt(t, b.recovered(b.changed(simfs.KillProcess, change), nil), "written later follows")
	same(t, b.recovered(b.changed(simfs.KeepAll, change), nil), "a")
}

func TestSingle_CutBehindItsFirstRoomIsCorruption(t *testing.T) {
	// A file that has grown must not be believed to be as short as it once was.
	b := open(t)
	for i := range 40 {
		b.put(fmt.Sprintf("%d.*50", i))
	}
	for n := range int(b.log.Size()) {
		fs := b.changed(simfs.KeepAll, func(data []byte) []byte { return data[:n] })
		if got := b.recovered(fs, nil); !strings.HasPrefix(got, "corrupt: ") {
			t.Fatalf("cut from %d to %d bytes: %d of %d records, and no error",
				b.log.segment.log.Size(), n, len(strings.Fields(got)), len(b.written))
		}
	}
}

func TestSingle_HeaderMustBeThere(t *testing.T) {
	b := open(t).put("a")
	for name, change := range map[string]func(data []byte) []byte{
		"zeros":   func(data []byte) []byte { clear(data); return data },
		"nothing": func([]byte) []byte { return nil },
		"a part":  func(data []byte) []byte { return data[:headerLen-1] },
	} {
		if got := b.recovered(b.changed(simfs.KeepAll, change), nil); !strings.HasPrefix(got, "corrupt: ") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestSingle_OfAnotherStoreNumberOrPurposeIsCorruption(t *testing.T) {
	b := open(t).put("a")
	b.opts.Number++
	isCorrupt(t, b.recovered(b.sim, nil), "number is 3, want 4")
	b.opts.Number--
	b.opts.Store++
	isCorrupt(t, b.recovered(b.sim, nil), "belongs to store")
	b.opts.Store--
	b.opts.Purpose = PurposeLog
	isCorrupt(t, b.recovered(b.sim, nil), "purpose is 2, want 1")
}

func TestSingle_CorruptionThatReplayFindsIsLocatedInTheFile(t *testing.T) {
	b := open(t).put("a", "b")
	n := 0
	err := RecoverSingle(b.opts, nil, func([]byte) error {
		if n++; n == 2 {
			return corrupt.Errorf("version edit", "bad").At(0)
		}
		return nil
	})
	var e *corrupt.Error
	if want := int64(headerLen + chunkHeaderLen + 1 + chunkHeaderLen); !errors.As(err, &e) || e.Offset != want || e.File != b.opts.Path {
		t.Errorf("%v, want offset %d", err, want)
	}
}

func TestSingle_EveryCrashLeavesAPrefixWithAllThatWasAcknowledged(t *testing.T) {
	const seed = 3
	rng := rand.New(rand.NewPCG(seed, 0))
	b := open(t).put("0.first") // the header, too, is durable only from here on
	images := 0
	b.sim.SetHook(func(op simfs.Op) {
		for _, policy := range simfs.Policies() {
			for label, image := range b.sim.Images(policy, seed, 4) {
				images++
				got := b.recovered(image, nil)
				n := len(strings.Fields(got))
				if n < b.acked || n > len(b.written) || got != strings.Join(b.written[:n], " ") {
					t.Fatalf("%v: %s; %d were acknowledged", simfs.Crash{Seed: seed, Op: op, Policy: policy, Label: label}, got, b.acked)
				}
			}
		}
	})
	for i := range 40 {
		b.put(fmt.Sprintf("%d.*%d", i+1, 5+rng.IntN(1+rng.IntN(20_000))))
	}
	t.Logf("%d images", images)
}

func TestSingle_EveryFailingCallLeavesAPrefixWithAllThatWasAcknowledged(t *testing.T) {
	for _, fault := range []simfs.Fault{{}, {ShortBytes: 20}, {ShortBytes: 1 << 40}, {DropDirty: true}, {Always: true, Err: simfs.NoSpace}} {
		for nth := 1; ; nth++ {
			b := open(t).put("0.first")
			fault.Nth = nth
			injected := b.sim.FailCall(fault)
			for i := range 20 {
				if err := b.try(fmt.Sprintf("%d.*%d", i+1, 10+i*i)); err != nil {
					if b.log.Err() == nil { // nothing was written of it
						b.written = b.written[:len(b.written)-1]
					} else {
						break
					}
				}
			}
			b.sim.Clear()
			for _, policy := range simfs.Policies() {
				for label, image := range b.sim.Images(policy, uint64(nth), 3) {
					got := b.recovered(image, nil)
					n := len(strings.Fields(got))
					if n < b.acked || n > len(b.written) || got != strings.Join(b.written[:n], " ") {
						t.Fatalf("fault %+v, %v, %v: %s; %d were acknowledged", fault, policy, label, got, b.acked)
					}
				}
			}
			if injected.Fired() == 0 {
				break
			}
		}
	}
}

func TestSingle_CloseClosesTheFile(t *testing.T) {
	b := open(t).put("a")
	must(t, b.log.Close())
	if err := b.log.Append([]byte("b")); err == nil {
		t.Error("a record was appended after Close")
	}
}

func TestRecoverSingle_FileThatCannotBeReadIsAnErrorAndNoCorruption(t *testing.T) {
	for nth := 1; ; nth++ {
		b := open(t).put("a")
		fault := b.sim.FailCall(simfs.Fault{Nth: nth, Match: simfs.Kinds(simfs.OpOpen, simfs.OpRead, simfs.OpClose, simfs.OpStat)})
		err := RecoverSingle(b.opts, nil, func([]byte) error { return nil })
		if fault.Fired() == 0 {
			return
		}
		if !errors.Is(err, simfs.IOError) || errors.Is(err, corrupt.ErrCorrupt) {
			t.Errorf("call %d fails: %v", nth, err)
		}
	}
}

func TestSingle_PayloadIsCopied(t *testing.T) {
	b := open(t)
	p := []byte("a")
	must(t, b.log.Append(p))
	p[0] = 'X'
	data, err := readAll(b.sim, b.opts.Path)
	must(t, err)
	if bytes.IndexByte(data, 'X') >= 0 {
		t.Error("the file changed with the slice")
	}
}

// What a failed sync of the growth has lost, a second one would not bring back.
func TestSingle_FailedSyncOfItsGrowthSticks(t *testing.T) {
	b := open(t).put("a")
	b.sim.FailCall(simfs.Fault{Match: simfs.Kinds(simfs.OpSync), DropDirty: true})
	for range 3 {
		if err := b.log.Reserve(5000); !errors.Is(err, simfs.IOError) || !errors.Is(b.log.Err(), simfs.IOError) {
			t.Errorf("Reserve returns %v, Err %v", err, b.log.Err())
		}
	}
	same(t, b.recovered(b.sim.Image(simfs.DropAll, 1), nil), "a")
}
