package main

import (
	"context"

	"github.com/tinykv/tinykv/bench/peers/contest"
	"github.com/tinykv/tinykv/bench/peers/engine"
	"github.com/tinykv/tinykv/bench/peers/engines/lmdb"
	"github.com/tinykv/tinykv/bench/peers/record"
	"github.com/tinykv/tinykv/bench/peers/rocksdb"
	"github.com/tinykv/tinykv/bench/peers/workload"
)

const rocksName = "rocksdb"

// rocks returns RocksDB, driven as a program.
func (c *config) rocks() contest.Native {
	settings := engine.Config{Profile: c.profile, MemoryLimit: c.memoryLimit}
	return contest.Native{
		Name: rocksName,
		About: record.Engine{
			Name: rocksName, Version: rocksdb.Version(), Settings: rocksdb.Settings(settings), Durability: rocksdb.Durability(settings),
		},
		Run: c.runRocks,
	}
}

func (c *config) runRocks(ctx context.Context, dir, group string, rep int, specs []contest.Spec) ([]record.Row, error) {
	d := &rocksdb.Driver{
		Dir: dir, Group: group, Profile: c.profile, Entries: c.entries, ValueBytes: c.valueBytes, Seed: c.seed + uint64(rep),
		MemoryLimit: c.memoryLimit,
		WriteLimit:  c.writeLimit, ReadTime: c.readTime,
	}
	wanted := make([]rocksdb.Spec, len(specs))
	for i, s := range specs {
		wanted[i] = rocksdb.Spec(s)
	}
	rows, err := d.Run(ctx, wanted)
	for i := range rows {
		r := &rows[i]
		r.WrittenBytes = 0 // db_bench's processes tell of dirtied pages only
		if r.State == record.StateEmpty && r.Threads == 1 {
			r.PutBytes = int64(r.Ops) * int64(workload.KeyBytes+c.valueBytes)
		}
	}
	return rows, err
}

// absent says why an engine that there might be is not there.
func absent(name string) string {
	var err error
	switch name {
	case "lmdb":
		err = lmdb.Available()
	case rocksName:
		err = rocksdb.Available()
	}
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}
