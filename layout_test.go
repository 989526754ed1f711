package tinykv_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// layoutOf returns the layout of a store that is open.
func layoutOf(t *testing.T, db *tinykv.DB) *tinykv.Layout {
	t.Helper()
	l, err := db.Layout()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLayout_ShowsEveryPart(t *testing.T) {
	db := openLayout(t, nil)
	if err := errors.Join(db.Put([]byte("fig"), []byte("ripe")), db.Bucket("attic").Put([]byte("pear"), []byte("dry"))); err != nil {
		t.Fatal(err)
	}
	l := layoutOf(t, db)
	if m := l.MemTables; len(m) != 1 || !m[0].Active || m[0].Entries != 2 || m[0].Used <= 0 || m[0].Used > m[0].Size {
		t.Errorf("memtables %+v, want an active one with both entries", m)
	}
	if len(l.Log) == 0 || l.Log[0].Number == 0 || l.Log[0].Used <= 0 || l.Log[0].Synced > l.Log[0].Used {
		t.Errorf("log %+v, want a segment with something in it", l.Log)
	}
	if err := errors.Join(db.Sync(), db.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	l = layoutOf(t, db)
	if l.DurableSeq != l.LastSeq {
		t.Errorf("durable up to %d after a sync, want %d", l.DurableSeq, l.LastSeq)
	}
	tables := l.Levels[0].Tables
	if len(tables) != 1 {
		t.Fatalf("%d tables in level 0, want the flushed one", len(tables))
	}
	if got := tables[0]; string(got.Smallest) != "fig" || got.SmallestBucket != "" || string(got.Largest) != "pear" || got.LargestBucket != "attic" ||
		got.Entries != 2 || got.Bytes <= 0 || got.Job != 0 {
		t.Errorf("table %+v, want fig to pear in bucket attic", got)
	}
	if m := l.MemTables[0]; m.Entries != 0 {
		t.Errorf("%d entries in the memtable after the flush", m.Entries)
	}
}

// What is under way is seen by those who are told that it begins, with the tables that it takes, and no longer once it is over.
func TestLayout_ShowsWhatIsUnderWay(t *testing.T) {
	var db *tinykv.DB
	var seen []string
	ended := func() {
		if l, err := db.Layout(); err != nil || len(l.Jobs) > 0 {
			t.Errorf("what has ended is under way: %v, %v", l, err)
		}
	}
	note := func() {
		l, err := db.Layout()
		if err != nil {
			t.Error(err)
			return
		}
		for _, j := range l.Jobs {
			taken := 0
			for _, level := range l.Levels {
				for _, table := range level.Tables {
					if table.Job == j.Job {
						taken++
					}
				}
			}
			if taken != len(j.Inputs) {
				t.Errorf("%s of %d tables, of which %d say so", j.Kind, len(j.Inputs), taken)
			}
			seen = append(seen, fmt.Sprint(j.Kind, " ", len(j.Inputs)))
		}
	}
	db = openLayout(t, &tinykv.Events{
		FlushBegin:      func(tinykv.FlushInfo) { note() },
		CompactionBegin: func(tinykv.CompactionInfo) { note() },
		FlushEnd:        func(tinykv.FlushInfo) { ended() },
		CompactionEnd:   func(tinykv.CompactionInfo) { ended() },
	})
	for range 2 {
		if err := errors.Join(db.Put([]byte("fig"), []byte("ripe")), db.Flush(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Compact(t.Context(), tinykv.All()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(seen, ", "); !strings.HasPrefix(got, "flush 0, flush 0, merge 2") {
		t.Errorf("seen: %s; want two flushes and the merge of their tables", got)
	}
	if jobs := layoutOf(t, db).Jobs; len(jobs) != 0 {
		t.Errorf("still under way: %+v", jobs)
	}
}

func TestLayout_IsJSON(t *testing.T) {
	text, err := json.Marshal(layoutOf(t, openLayout(t, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"memtables":[{"active":true`, `"log":[{"number":`, `"tables":[]`, `"jobs":[]`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

func TestLayout_OfAClosedStoreIsAnError(t *testing.T) {
	db := openLayout(t, nil)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Layout(); !errors.Is(err, tinykv.ErrClosed) {
		t.Errorf("%v, want ErrClosed", err)
	}
}

func openLayout(t *testing.T, events *tinykv.Events) *tinykv.DB {
	t.Helper()
	db, err := tinykv.Open("db", &tinykv.Options{FS: vfs.NewMem(), Events: events})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
