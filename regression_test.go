package tinykv_test

import (
	"context"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// What was wrong once. Each test says in its name what holds since.

// smallStore opens a store of small memtables on a file system, by default one in memory.
func smallStore(t testing.TB, fsys vfs.FS, in tinykv.Internal) *tinykv.DB {
	t.Helper()
	if fsys == nil {
		fsys = vfs.NewMem()
	}
	o := &tinykv.Options{FS: fsys, MemTableSize: 64 << 10, TableSize: 32 << 10, SyncInterval: time.Hour}
	return mustOpen(t, "/s", o.With(in))
}

func TestRead_StartsAnewWhenALargeBatchComesBetweenStateAndSequenceNumber(t *testing.T) {
	db := smallStore(t, nil, tinykv.Internal{})
	large := db.NewBatch()
	must(t, large.Put([]byte("large"), make([]byte, 60<<10)))
	for _, c := range []struct {
		what    string
		between func()
		goesOn  bool
	}{
		{"nothing", func() {}, true},
		{"a write", func() { must(t, db.Put([]byte("later"), nil)) }, true},
		{"a large batch and a write", func() {
			must(t, db.Apply(large))
			must(t, db.Put([]byte("later"), nil)) // into the memtable of the old state
		}, false},
	} {
		if got := db.HalfOpenedRead(c.between); got != c.goesOn {
			t.Errorf("%s in between: the read goes on with the old state: %v, want %v", c.what, got, c.goesOn)
		}
	}
}

// isManifest picks calls on manifests.
func isManifest(op simfs.Op) bool { return strings.HasPrefix(filepath.Base(op.Name), "MANIFEST") }

func isTable(op simfs.Op) bool { return filepath.Ext(op.Name) == ".sst" }

func TestFailed_WhatWasAcknowledgedIsSyncedUnlessTheLogFailed(t *testing.T) {
	for _, c := range []struct {
		by   string
		wait func(db *tinykv.DB)
	}{
		{"the interval", func(db *tinykv.DB) {
			for db.Metrics().DurableSeq < 2 {
				runtime.Gosched()
			}
		}},
		{"Sync", func(db *tinykv.DB) { must(t, db.Sync()) }},
		{"Close", func(db *tinykv.DB) { wantError(t, db.Close(), tinykv.ErrFailed) }},
	} {
		t.Run(c.by, func(t *testing.T) {
			fsys := simfs.New()
			interval := time.Hour
			if c.by == "the interval" {
				interval = time.Millisecond
			}
			db := mustOpen(t, "/s", &tinykv.Options{FS: fsys, SyncInterval: interval})
			must(t, db.Put([]byte("a"), nil))
			var once sync.Once
			fsys.SetHook(func(op simfs.Op) {
				if op.Kind == simfs.OpWrite && isManifest(op) {
					once.Do(func() { // the flush has synced the log and writes its edit
						must(t, db.Put([]byte("b"), nil))
						fsys.FailCall(simfs.Fault{Match: func(op simfs.Op) bool { return op.Kind == simfs.OpSync && isManifest(op) }})
					})
				}
			})
			wantError(t, db.Flush(context.Background()), tinykv.ErrFailed)
			wantError(t, db.Put([]byte("c"), nil), tinykv.ErrFailed)
			c.wait(db)
			after := mustOpen(t, "/s", &tinykv.Options{FS: fsys.Image(simfs.DropAll, 1)})
			if _, err := after.Get([]byte("b")); err != nil {
				t.Errorf("after a power cut: %v", err)
			}
		})
	}
}
