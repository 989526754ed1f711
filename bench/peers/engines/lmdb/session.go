//go:build lmdb && cgo

package lmdb

/*
#cgo noescape session_get
#cgo nocallback session_get
#cgo noescape session_put
#cgo nocallback session_put
#cgo noescape session_delete
#cgo nocallback session_delete
#cgo noescape session_multi_get
#cgo nocallback session_multi_get
#cgo noescape session_put_batch
#cgo nocallback session_put_batch
#include <stdlib.h>
#include "calls.h"
*/
import "C"

import (
	"unsafe"

	"github.com/tinykv/tinykv/bench/peers/engine"
)

// session does one goroutine's operations. A write transaction lives within one call of C, so it begins and ends on one
// thread, as LMDB requires.
type session struct {
	c     *C.session
	store *C.store
	idle  *iterator // closed, and renewed by the next NewIterator
}

func newSession(st *C.store) (engine.Session, error) {
	c := (*C.session)(C.calloc(1, C.sizeof_session))
	if code := C.session_open(c, st); code != 0 {
		C.free(unsafe.Pointer(c))
		return nil, errorOf(code)
	}
	return &session{c: c, store: st}, nil
}

// Get leaves the transaction live after look has returned: the next call resets it, which saves a call of C.
func (s *session) Get(key []byte, look func(value []byte) error) (found bool, err error) {
	r := C.session_get(s.c, chars(key), C.size_t(len(key)))
	switch r.code {
	case 0:
		return true, look(view(r.data, r.size))
	case C.MDB_NOTFOUND:
		return false, nil
	default:
		return false, errorOf(r.code)
	}
}

// MultiGet copies the keys to C's memory, which costs less than a call for each or the pinning of each.
func (s *session) MultiGet(keys [][]byte, each func(i int, value []byte) error) error {
	if code := C.session_reserve(s.c, C.size_t(len(keys)), sizeOf(keys)); code != 0 {
		return errorOf(code)
	}
	vals, bytes := s.scratch()
	for i, key := range keys {
		bytes = bytes[copy(bytes, key):]
		vals[i].mv_size = C.size_t(len(key))
	}
	if code := C.session_multi_get(s.c, C.size_t(len(keys))); code != 0 {
		return errorOf(code)
	}
	for i, v := range vals[:len(keys)] {
		if v.mv_data == nil {
			continue
		}
		if err := each(i, view(v.mv_data, v.mv_size)); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) Put(key, value []byte) error {
	return errorOf(C.session_put(s.c, chars(key), C.size_t(len(key)), chars(value), C.size_t(len(value))))
}

func (s *session) Delete(key []byte) error {
	code := C.session_delete(s.c, chars(key), C.size_t(len(key)))
	if code == C.MDB_NOTFOUND {
		return nil
	}
	return errorOf(code)
}

// PutBatch copies all to C's memory for one call, as MultiGet does.
func (s *session) PutBatch(keys, values [][]byte) error {
	code := C.session_reserve(s.c, C.size_t(2*len(keys)), sizeOf(keys)+sizeOf(values))
	if code != 0 {
		return errorOf(code)
	}
	vals, bytes := s.scratch()
	for i, key := range keys {
		bytes = bytes[copy(bytes, key):]
		bytes = bytes[copy(bytes, values[i]):]
		vals[2*i].mv_size = C.size_t(len(key))
		vals[2*i+1].mv_size = C.size_t(len(values[i]))
	}
	return errorOf(C.session_put_batch(s.c, C.size_t(len(keys))))
}

// scratch returns the session's memory in C, as much as is reserved.
func (s *session) scratch() (vals []C.MDB_val, bytes []byte) {
	return unsafe.Slice(s.c.vals, int(s.c.vals_cap)), view(unsafe.Pointer(s.c.bytes), s.c.bytes_cap)
}

func sizeOf(slices [][]byte) (size C.size_t) {
	for _, b := range slices {
		size += C.size_t(len(b))
	}
	return size
}

func (s *session) Close() error {
	if s.idle != nil {
		s.idle.free()
	}
	C.session_close(s.c)
	C.free(unsafe.Pointer(s.c))
	return nil
}
