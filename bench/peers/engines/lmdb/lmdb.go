//go:build lmdb && cgo

// Package lmdb lets the benchmarks run LMDB, the system's library, by cgo. It is built with -tags lmdb, on a machine
// that has lmdb.h and liblmdb (Debian: liblmdb-dev); otherwise it only says that it is missing.
//
// A C program would call LMDB for less: each operation here pays for one call from Go to C, some 40 ns, as any Go program
// that uses LMDB does. calls.h gathers what belongs together, so that it is one.
package lmdb

/*
#cgo LDFLAGS: -llmdb
#cgo CFLAGS: -O2 -g0
#include <stdlib.h>
#include "calls.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/tinykv/tinykv/bench/peers/engine"
)

// maxReaders is how many read transactions may exist at once: two for each session.
const maxReaders = 1024

// New returns LMDB as an engine.
func New() engine.Engine {
	return engine.Engine{Name: "lmdb", Version: version, Settings: settings, Durability: durability, Open: open}
}

// Available returns why LMDB cannot be used, nil if it can.
func Available() error { return nil }

func version() string {
	var major, minor, patch C.int
	C.mdb_version(&major, &minor, &patch)
	return fmt.Sprintf("%d.%d.%d", major, minor, patch)
}

func settings(c engine.Config) string {
	const always = "no cache but the page cache, no filters, no compression, no log (copy on write)"
	if synced(c) {
		return "MDB_NOTLS, map 64 GiB; " + always
	}
	return "MDB_NOTLS, MDB_NOSYNC, map 64 GiB; " + always
}

// durability is as lmdb.h has it: power loss may also damage a store that MDB_NOSYNC wrote, not only shorten it.
func durability(c engine.Config) string {
	if synced(c) {
		return "power loss"
	}
	return "killed process; power loss may damage the store"
}

// synced tells whether each commit waits for stable storage: as LMDB is shipped it does.
func synced(c engine.Config) bool { return c.Sync || c.Profile == engine.Default }

// flags are those to open with. MDB_NOTLS ties a read transaction to its session rather than to a thread, of which a
// goroutine has none. MDB_NOSYNC includes what MDB_NOMETASYNC does. MDB_WRITEMAP is left out: lmdb.h warns that
// stray writes of the program then corrupt the store, and with MDB_NOSYNC it leaves the system no hint of when to write.
//
// MDB_NORDAHEAD is what lmdb.h recommends for a store that is larger than memory.
func flags(c engine.Config) (f C.uint) {
	f = C.MDB_NOTLS
	if !synced(c) {
		f |= C.MDB_NOSYNC
	}
	if c.MemoryLimit != 0 {
		f |= C.MDB_NORDAHEAD
	}
	return f
}

func open(dir string, c engine.Config) (engine.Store, error) {
	path := C.CString(dir)
	defer C.free(unsafe.Pointer(path))
	s := (*C.store)(C.calloc(1, C.sizeof_store))
	if code := C.store_open(s, path, engine.MapBytes, flags(c), maxReaders); code != 0 {
		C.free(unsafe.Pointer(s))
		return nil, fmt.Errorf("lmdb: open %s: %w", dir, errorOf(code))
	}
	return &store{c: s}, nil
}

// store is an environment with its one database. LMDB synchronises it.
type store struct{ c *C.store }

func (s *store) NewSession(int) (engine.Session, error) { return newSession(s.c) }

func (s *store) Stats() engine.Stats { return engine.Stats{} }

func (s *store) Close() error {
	code := C.store_close(s.c)
	C.free(unsafe.Pointer(s.c))
	return errorOf(code)
}

// errorOf returns what a code of LMDB or the system says; nil for 0.
func errorOf(code C.int) error {
	if code == 0 {
		return nil
	}
	return errors.New("lmdb: " + C.GoString(C.mdb_strerror(code)))
}

// view returns C memory as a slice, which lives as long as the transaction that it came from.
func view(data unsafe.Pointer, size C.size_t) []byte {
	return unsafe.Slice((*byte)(data), int(size))
}

// chars returns where a slice begins, for a call of C that reads it and keeps nothing.
func chars(b []byte) *C.char { return (*C.char)(unsafe.Pointer(unsafe.SliceData(b))) }
