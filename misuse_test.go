package tinykv

import (
	"bytes"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"testing"
)

func TestBatch_AppendOfNilIsAnError(t *testing.T) {
	b := &Batch{}
	if err := b.Append(nil); !errors.Is(err, ErrInvalidOption) {
		t.Error(err)
	}
}

func TestPeek_WithoutAFunctionIsAnError(t *testing.T) {
	db, _ := filled(t, 1)
	if err := db.Peek(numbered(0), nil); !errors.Is(err, ErrInvalidOption) {
		t.Error(err)
	}
}

func TestOpen_WithoutANameTouchesNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := Open("", nil); !errors.Is(err, ErrInvalidOption) {
		t.Error(err)
	}
	if names, err := os.ReadDir("."); err != nil || len(names) > 0 {
		t.Errorf("%v, %v", names, err)
	}
}

func TestIterator_AtItsEndTellsThatTheStoreIsClosed(t *testing.T) {
	db, _ := filled(t, 3)
	move := map[string]func(*Iterator) bool{"Next": (*Iterator).Next, "Prev": (*Iterator).Prev}
	its := map[string]*Iterator{}
	for name, step := range move {
		it, err := db.NewIter(All())
		if err != nil {
			t.Fatal(err)
		}
		defer it.Close()
		for step(it) {
		}
		its[name] = it
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for name, it := range its {
		if move[name](it) || !errors.Is(it.Err(), ErrClosed) {
			t.Errorf("%s at the end of a closed store: %v", name, it.Err())
		}
	}
}

// What is given may be reused once the call has returned, although the loop comes later.
func TestScan_KeepsNothingOfWhatItIsGiven(t *testing.T) {
	db, _ := filled(t, 9)
	if err := db.Bucket("b").Put(numbered(4), nil); err != nil {
		t.Fatal(err)
	}
	snapshot, err := db.NewSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	tx, err := db.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for name, scan := range map[string]func(Range, ...ScanOption) iter.Seq2[Item, error]{
		"DB": db.Scan, "Snapshot": snapshot.Scan, "Tx": tx.Scan, "bucket": db.Bucket("b").Scan, "bucket of a Tx": tx.Bucket("b").Scan,
	} {
		lower, upper, opts := numbered(4), numbered(5), []ScanOption{Limit(10)}
		between := Between(lower, upper)
		loops := []iter.Seq2[Item, error]{scan(Range{lower, upper}, opts...), scan(between, opts...)}
		copy(lower, numbered(7))
		copy(upper, numbered(9))
		opts[0] = Limit(0)
		for _, loop := range append(loops, scan(between)) {
			n := 0
			for item, err := range loop {
				if n++; err != nil || !bytes.Equal(item.Key, numbered(4)) {
					t.Errorf("%s: %q, %v", name, item.Key, err)
				}
			}
			if n != 1 {
				t.Errorf("%s: %d keys", name, n)
			}
		}
	}
}

func TestScan_ALoopThatPanicsLeavesNothingOpen(t *testing.T) {
	db, _ := filled(t, 3)
	func() {
		defer func() { _ = recover() }()
		for range db.Scan(All()) {
			panic("in the loop")
		}
	}()
	if n := uint32(db.state.Load().refs.Load()); n != 1 {
		t.Errorf("%d references to the state, want that of the store alone", n)
	}
}

// A file that bears a number beyond all that a store gives out is not one of its own.
func TestOpen_APlantedFileNumberIsNotCountedFrom(t *testing.T) {
	for _, name := range []string{"18446744073709551614.sst", "18446744073709551615.wal", "MANIFEST-18446744073709551614"} {
		dir := t.TempDir()
		for opening := range 3 {
			db, err := Open(dir, nil)
			if err != nil {
				t.Fatalf("%s: opening %d: %v", name, opening, err)
			}
			if err := db.Put([]byte("k"), []byte("v")); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// With 32 bits the longest value fills a batch of its own.
func TestLimits_ABatchHoldsTheLongestOperation(t *testing.T) {
	const longest = int64(maxValueLen) + int64(maxKeyLen) + 64
	if longest > int64(maxBatchLen) {
		t.Errorf("an operation may take %d bytes, a batch %d", longest, int64(maxBatchLen))
	}
}
