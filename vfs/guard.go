package vfs

import (
	"fmt"
	"reflect"
	"runtime/debug"
)

// An I/O error below a mapped page, or a file that was cut under its mapping, shows as a memory fault.
// Under debug.SetPanicOnFault, which is a matter of each goroutine, it is a panic that can be
// recovered; so who touches a mapping and must not die sets that, recovers, and asks FaultOn whether
// the panic is its own. Any other goes on.

// faultError is what the runtime panics with for a memory fault under debug.SetPanicOnFault.
type faultError interface {
	error
	Addr() uintptr
}

// FaultOn tells whether a recovered panic is a memory fault on a view, which lies in a mapping, and at
// which offset.
func FaultOn(view []byte, recovered any) (off int64, ok bool) {
	fault, ok := recovered.(faultError)
	if !ok || len(view) == 0 {
		return 0, false
	}
	at, start := fault.Addr(), reflect.ValueOf(view).Pointer()
	if at < start || at-start >= uintptr(len(view)) {
		return 0, false
	}
	return int64(at - start), true
}

// copyGuarded copies src to dst, one of which is the view, and turns a fault on that into an error.
func copyGuarded(dst, src, view []byte, name string) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		r := recover()
		if r == nil {
			return
		}
		off, ok := FaultOn(view, r)
		if !ok {
			panic(r)
		}
		err = fmt.Errorf("%s: the storage below a mapped page failed at offset %d", name, off)
	}()
	copy(dst, src)
	return nil
}
