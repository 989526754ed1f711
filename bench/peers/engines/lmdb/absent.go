//go:build !lmdb || !cgo

// Package lmdb lets the benchmarks run LMDB when it is built with -tags lmdb; this build is without.
package lmdb

import (
	"errors"

	"github.com/tinykv/tinykv/bench/peers/engine"
)

var errAbsent = errors.New("lmdb: built without -tags lmdb (it needs cgo, lmdb.h and liblmdb: Debian's liblmdb-dev)")

// New returns an engine that cannot be opened.
func New() engine.Engine {
	return engine.Engine{
		Name:       "lmdb",
		Version:    func() string { return "" },
		Settings:   func(engine.Config) string { return errAbsent.Error() },
		Durability: func(engine.Config) string { return "" },
		Open:       func(string, engine.Config) (engine.Store, error) { return nil, errAbsent },
	}
}

// Available returns why LMDB cannot be used.
func Available() error { return errAbsent }
