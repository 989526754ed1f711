package tinykv

import (
	"context"
	"testing"
	"time"
)

func TestBucket_LetsAsMuchThroughAsItsRate(t *testing.T) {
	b := &bucket{rate: 1000}
	now := time.Unix(100, 0)
	total := int64(0)
	for end := now.Add(time.Minute); now.Before(end); {
		total += 50
		now = now.Add(b.take(50, now))
	}
	if total < 60_000 || total > 60_300 {
		t.Errorf("%d bytes in a minute, want 60000 and what was saved up before", total)
	}
}

// A flush does not wait, and what it takes the others wait for.
func TestBucket_WhatOneTakesWithoutWaitingOthersWaitFor(t *testing.T) {
	b := &bucket{rate: 1000}
	now := time.Unix(100, 0)
	b.take(5000, now)
	if d := b.take(100, now.Add(time.Second)); d < 3900*time.Millisecond || d > 4100*time.Millisecond {
		t.Errorf("%v, want 4 s", d)
	}
}

func TestBucket_WithoutARateNobodyWaits(t *testing.T) {
	if d := (&bucket{}).take(1<<40, time.Now()); d != 0 {
		t.Errorf("%v", d)
	}
}

func TestCompactionRate_HoldsForWhatCompactionsWrite(t *testing.T) {
	db, err := Open(t.TempDir(), &Options{CompactionRate: 1 << 20, MemTableSize: 64 << 10, TableSize: 32 << 10, Compression: CompressionNone})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i := range 6000 {
		if err := db.Put(benchKey(make([]byte, 16), uint64(i)), make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Compact(context.Background(), All()); err != nil {
		t.Fatal(err)
	}
	db.pace.mu.Lock()
	defer db.pace.mu.Unlock()
	// Whoever waited left the bucket balanced, but for what others took meanwhile. More than this was
	// written in much less than the seconds that it is for.
	if db.pace.level < -(1 << 20) {
		t.Errorf("%.0f bytes were written too soon", -db.pace.level)
	}
}

func TestLimits_SmallMemtablesMayBeMore(t *testing.T) {
	for size, want := range map[int64]limits{
		16 << 20: {freeTables: 8, stopTables: 24, freeDebt: 1 << 30, maxDebt: 4 << 30, maxSealed: 2, tableBytes: 16 << 20},
		1 << 20:  {freeTables: 24, stopTables: 72, freeDebt: 1 << 30, maxDebt: 4 << 30, maxSealed: 8, tableBytes: 1 << 20},
	} {
		if got := limitsFor(&Options{MemTableSize: size}); got != want {
			t.Errorf("%d: %+v, want %+v", size, got, want)
		}
	}
}

func TestLimits_PressureGrowsWithTablesAndWithDebt(t *testing.T) {
	l := limitsFor(&Options{MemTableSize: 16 << 20})
	for _, c := range []struct {
		tables               int
		debt                 int64
		wantTables, wantDebt float64
	}{
		{8, 1 << 30, 0, 0}, {16, 0, 0.5, 0}, {24, 0, 1, 0}, {99, 0, 1, 0}, {0, 2560 << 20, 0, 0.5}, {0, 4 << 30, 0, 1}, {16, 3328 << 20, 0.5, 0.75},
	} {
		tables, bytes := l.pressures(c.tables, c.debt)
		if max(tables, 0) != c.wantTables || max(bytes, 0) != c.wantDebt {
			t.Errorf("%d tables, %d bytes: %v and %v, want %v and %v", c.tables, c.debt, tables, bytes, c.wantTables, c.wantDebt)
		}
	}
}

func TestRemovals_AreRemovedAtOnceByClose(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		path := db.files.path(db.newFileNum())
		f, err := db.fs.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		db.scheduleRemoval(path, int64(i+1)<<40) // years at the usual rate
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := list(db.opts, dir)
	if err != nil || len(l.tables) > 0 {
		t.Errorf("%d files are left, %v", len(l.tables), err)
	}
}
