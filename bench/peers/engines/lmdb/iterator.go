//go:build lmdb && cgo

package lmdb

/*
#cgo noescape iterator_move
#cgo nocallback iterator_move
#cgo nocallback iterator_fetch
#cgo noescape iterator_fetch
#include <stdlib.h>
#include "calls.h"
*/
import "C"

import (
	"unsafe"

	"github.com/tinykv/tinykv/bench/peers/engine"
)

// iterator goes over what is there in a read transaction of its own. First, Last and SeekGE fetch one entry, since a
// program may want no more; moves from there fetch as many as the plan names, up to AHEAD, in one call of C.
//
// Invariant: 0 <= at <= n <= AHEAD; the iterator stands on an entry when at < n.
type iterator struct {
	c       *C.iterator
	session *session
	plan    engine.Plan
	at, n   int
	err     error // the first
}

// NewIterator renews the transaction and the cursor of an iterator that was closed, as LMDB recommends.
func (s *session) NewIterator(plan engine.Plan) (engine.Iterator, error) {
	it := s.idle
	if it == nil {
		return s.openIterator(plan)
	}
	if code := C.iterator_renew(it.c); code != 0 {
		return nil, errorOf(code)
	}
	s.idle = nil
	*it = iterator{c: it.c, session: s, plan: plan}
	return it, nil
}

func (s *session) openIterator(plan engine.Plan) (engine.Iterator, error) {
	c := (*C.iterator)(C.malloc(C.sizeof_iterator))
	if code := C.iterator_open(c, s.store); code != 0 {
		C.free(unsafe.Pointer(c))
		return nil, errorOf(code)
	}
	return &iterator{c: c, session: s, plan: plan}, nil
}

func (it *iterator) First() bool            { return it.move(C.MDB_FIRST, nil) }
func (it *iterator) Last() bool             { return it.move(C.MDB_LAST, nil) }
func (it *iterator) SeekGE(key []byte) bool { return it.move(C.MDB_SET_RANGE, key) }

func (it *iterator) move(op C.MDB_cursor_op, key []byte) bool {
	return it.stand(C.iterator_move(it.c, op, chars(key), C.size_t(len(key))))
}

func (it *iterator) Next() bool { return it.step(C.MDB_NEXT, false) }
func (it *iterator) Prev() bool { return it.step(C.MDB_PREV, true) }

// step goes on. Against the direction that was promised it cannot: the cursor is ahead.
func (it *iterator) step(op C.MDB_cursor_op, reverse bool) bool {
	if reverse != it.plan.Reverse {
		it.at, it.n, it.err = 0, 0, engine.ErrUnsupported
		return false
	}
	if it.at+1 < it.n {
		it.at++
		return true
	}
	return it.at < it.n && it.stand(C.iterator_fetch(it.c, op, it.ahead()))
}

// ahead returns how many entries to fetch at once.
func (it *iterator) ahead() C.int {
	return C.int(min(max(it.plan.Entries, 1), C.AHEAD))
}

// stand puts the iterator on the first entry fetched. An error behind other entries comes again at the next fetch.
func (it *iterator) stand(f C.fetched) bool {
	it.at, it.n = 0, int(f.n)
	if f.n == 0 && f.code != C.MDB_NOTFOUND && it.err == nil {
		it.err = errorOf(f.code)
	}
	return f.n > 0
}

func (it *iterator) Key() []byte {
	k := &it.c.keys[it.at]
	return view(k.mv_data, k.mv_size)
}

func (it *iterator) Value() ([]byte, error) {
	v := &it.c.vals[it.at]
	return view(v.mv_data, v.mv_size), nil
}

// Close keeps the iterator for the session's next one, its transaction reset so that writers can reuse pages.
func (it *iterator) Close() error {
	C.iterator_reset(it.c)
	if it.session.idle == nil {
		it.session.idle = it
		return it.err
	}
	it.free()
	return it.err
}

func (it *iterator) free() {
	C.iterator_close(it.c)
	C.free(unsafe.Pointer(it.c))
}
