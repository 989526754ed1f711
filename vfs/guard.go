package vfs

import (
	"fmt"
	"runtime/debug"
)

// faultError is what the runtime panics with for a memory fault under debug.SetPanicOnFault.
type faultError interface {
	error
	Addr() uintptr
}

// copyGuarded copies src to dst, where one of the two lies in a file mapping, and turns a fault on
// it (an I/O error below the mapping) into an error. Any other panic passes through.
func copyGuarded(dst, src []byte, name string) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if r := recover(); r != nil {
			fault, ok := r.(faultError)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("%s: the storage below a mapped page failed at address %#x", name, fault.Addr())
		}
	}()
	copy(dst, src)
	return nil
}
