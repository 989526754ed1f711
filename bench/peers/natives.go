package main

import (
	"github.com/tinykv/tinykv/bench/peers/contest"
	"github.com/tinykv/tinykv/bench/peers/engines/lmdb"
)

// nativeEngines returns the engines that are driven as programs, as far as they are installed.
func nativeEngines(*config) []contest.Native { return nil }

// absent says why an engine that there might be is not there.
func absent(name string) string {
	if name == "lmdb" && lmdb.Available() != nil {
		return ": " + lmdb.Available().Error()
	}
	return ""
}
