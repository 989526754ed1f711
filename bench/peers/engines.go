package main

import (
	"runtime/debug"

	"github.com/tinykv/tinykv/bench/peers/engine"
	"github.com/tinykv/tinykv/bench/peers/engines/badger"
	"github.com/tinykv/tinykv/bench/peers/engines/bbolt"
	"github.com/tinykv/tinykv/bench/peers/engines/goleveldb"
	"github.com/tinykv/tinykv/bench/peers/engines/lmdb"
	"github.com/tinykv/tinykv/bench/peers/engines/pebble"
	"github.com/tinykv/tinykv/bench/peers/engines/tinykv"
)

// engines returns those that this program has, tinykv first. LMDB is one of them if it was built with that.
func engines() []engine.Engine {
	all := []engine.Engine{tinykv.New(), pebble.New(), badger.New(), goleveldb.New(), bbolt.New()}
	if lmdb.Available() == nil {
		all = append(all, lmdb.New())
	}
	return all
}

// version tells the version of an engine, as far as the build recorded it.
func version(e engine.Engine) string {
	if e.Version != nil {
		return e.Version()
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range info.Deps {
		if m.Path == e.Module && m.Replace != nil {
			return "this commit"
		}
		if m.Path == e.Module {
			return m.Version
		}
	}
	return "unknown"
}
