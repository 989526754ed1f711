package main

import (
	"context"

	"github.com/tinykv/tinykv/bench/peers/contest"
	"github.com/tinykv/tinykv/bench/peers/engine"
	"github.com/tinykv/tinykv/bench/peers/engines/lmdb"
	"github.com/tinykv/tinykv/bench/peers/record"
	"github.com/tinykv/tinykv/bench/peers/rocksdb"
)

const rocksName = "rocksdb"

// natives returns the engines that are driven as programs, as far as they are installed.
func (c *config) natives() []contest.Native {
	if rocksdb.Available() != nil {
		return nil
	}
	return []contest.Native{{
		Name: rocksName,
		About: record.Engine{
			Name: rocksName, Version: rocksdb.Version(), Settings: rocksdb.Settings(c.profile),
			Durability: rocksdb.Durability(engine.Config{Profile: c.profile}),
		},
		Run: c.runRocks,
	}}
}

func (c *config) runRocks(ctx context.Context, dir, group string, rep int, specs []contest.Spec) ([]record.Row, error) {
	d := &rocksdb.Driver{
		Dir: dir, Group: group, Profile: c.profile, Entries: c.entries, ValueBytes: c.valueBytes, Seed: c.seed + uint64(rep),
		WriteLimit: c.writeLimit, ReadTime: c.readTime,
	}
	wanted := make([]rocksdb.Spec, len(specs))
	for i, s := range specs {
		wanted[i] = rocksdb.Spec(s)
	}
	return d.Run(ctx, wanted)
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

// allAbsent says of all engines that are not there why not.
func allAbsent() (reasons []string) {
	for _, name := range []string{"lmdb", rocksName} {
		if reason := absent(name); reason != "" {
			reasons = append(reasons, name+reason)
		}
	}
	return reasons
}
