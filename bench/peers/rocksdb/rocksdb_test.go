package rocksdb

import (
	"testing"
	"time"

	"github.com/tinykv/tinykv/bench/peers/engine"
	"github.com/tinykv/tinykv/bench/peers/record"
)

func newDriver(t *testing.T, p engine.Profile) *Driver {
	if err := Available(); err != nil {
		t.Skip(err)
	}
	return &Driver{
		Dir: t.TempDir(), Profile: p, Entries: 20_000, ValueBytes: 100, Seed: 1,
		WriteLimit: time.Minute, ReadTime: time.Second,
	}
}

var (
	fillRows = []Spec{
		{"fillseq", 1, record.StateEmpty},
		{"fillseq", 2, record.StateEmpty},
		{"fillrandom", 1, record.StateEmpty},
		{"fillrandom", 2, record.StateEmpty},
		{"fillbatch", 1, record.StateEmpty},
		{"fillbatch", 2, record.StateEmpty},
		{"fillsync", 1, record.StateEmpty},
	}
	sharedRows = []Spec{
		{"readrandom", 1, record.StateFilled},
		{"seekrandom", 1, record.StateFilled},
		{"readrandom", 1, record.StateSettled},
		{"readrandom", 2, record.StateSettled},
		{"readmissing", 1, record.StateSettled},
		{"readhot", 2, record.StateSettled},
		{"multiget", 1, record.StateSettled},
		{"readseq", 1, record.StateSettled},
		{"readreverse", 1, record.StateSettled},
		{"seekrandom", 1, record.StateSettled},
		{"overwrite", 2, record.StateSettled},
		{"readwhilewriting", 1, record.StateSettled},
		{"deleterandom", 1, record.StateSettled},
		{"open", 1, record.StateSettled},
	}
)

func TestDriver_MeasuresEachRowOnce(t *testing.T) {
	for _, specs := range [][]Spec{fillRows, sharedRows} {
		checkRows(t, newDriver(t, engine.Equal), specs)
	}
	checkRows(t, newDriver(t, engine.Default), []Spec{
		{"fillrandom", 1, record.StateEmpty}, {"readrandom", 1, record.StateSettled},
	})
}

func checkRows(t *testing.T, d *Driver, specs []Spec) {
	t.Helper()
	rows, err := d.Run(t.Context(), specs)
	if err != nil || len(rows) != len(specs) {
		t.Fatalf("%d rows of %d, %v", len(rows), len(specs), err)
	}
	for i, r := range rows {
		t.Logf("%+v", r)
		if got := (Spec{r.Name, r.Threads, r.State}); got != specs[i] || r.Engine != "rocksdb" {
			t.Errorf("row %d is %+v of %q, want %+v", i, got, r.Engine, specs[i])
		}
		if fill := r.State == record.StateEmpty; fill != (r.SettledBytes > 0) {
			t.Errorf("%s:%d settled at %d bytes", r.Name, r.Threads, r.SettledBytes)
		}
		if r.Err != "" || r.Ops == 0 || r.Seconds <= 0 || r.Mean <= 0 || r.DiskBytes == 0 {
			t.Errorf("%s:%d is not measured: %+v", r.Name, r.Threads, r)
		}
		checkRow(t, r)
	}
}

func checkRow(t *testing.T, r record.Row) {
	t.Helper()
	switch r.Name {
	case "fillseq", "fillrandom", "fillbatch", "overwrite":
		if r.Ops != 20_000 {
			t.Errorf("%s:%d wrote %d", r.Name, r.Threads, r.Ops)
		}
	case "readrandom", "readhot", "multiget":
		if r.Found != r.Ops && r.Threads == 1 {
			t.Errorf("%s:%d found %d of %d", r.Name, r.Threads, r.Found, r.Ops)
		}
	case "readmissing":
		if r.Found != 0 {
			t.Errorf("%d missing keys were found", r.Found)
		}
	case "readseq", "readreverse":
		if r.Ops != 20_000*scanPasses {
			t.Errorf("%s came to %d entries", r.Name, r.Ops)
		}
	case "readwhilewriting":
		if r.BesideOps == 0 {
			t.Error("nothing was written beside")
		}
	}
}

func TestDriver_CountsWhatAKilledProcessLost(t *testing.T) {
	specs := []Spec{{"kill", 1, record.StateSettled}, {"openkilled", 1, record.StateSettled}}
	rows, err := newDriver(t, engine.Equal).Run(t.Context(), specs)
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	t.Logf("%+v", rows)
	if r := rows[0]; r.Err != "" || r.Acknowledged == 0 || r.Lost != 0 {
		t.Errorf("kill: %+v", r)
	}
	if r := rows[1]; r.Err != "" || r.Ops != 1 || r.Seconds <= 0 {
		t.Errorf("openkilled: %+v", r)
	}
}

func TestDriver_SaysWhyARowIsNotMeasured(t *testing.T) {
	specs := []Spec{{"ycsba", 1, record.StateSettled}, {"nosuch", 1, record.StateEmpty}}
	rows, err := newDriver(t, engine.Equal).Run(t.Context(), specs)
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	for _, r := range rows {
		if r.Err == "" || r.Ops != 0 {
			t.Errorf("%+v", r)
		}
	}
}

// A limit of two seconds is too short for ten million writes, and long enough for a report of one second.
func TestDriver_CutsOffWrites(t *testing.T) {
	d := newDriver(t, engine.Equal)
	d.Entries, d.WriteLimit = 20_000_000, 2500*time.Millisecond
	rows, err := d.Run(t.Context(), []Spec{{"fillseq", 1, record.StateEmpty}})
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	if r := rows[0]; !r.CutOff || r.Ops == 0 || r.Seconds < 1 || r.WrittenBytes == 0 || r.DiskBytes == 0 {
		t.Errorf("%+v", r)
	}
}

func TestVersion_IsKnown(t *testing.T) {
	newDriver(t, engine.Equal)
	if v := Version(); v == "" {
		t.Error("db_bench has no version")
	} else {
		t.Log(v)
	}
}
