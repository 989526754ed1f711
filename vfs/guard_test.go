package vfs_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/tinykv/tinykv/vfs"
)

// fault stands for what the runtime panics with.
type fault struct {
	error
	at uintptr
}

func (f fault) Addr() uintptr { return f.at }

func TestFaultOn_IsAboutAddressesWithinTheView(t *testing.T) {
	view := make([]byte, 100)
	start := reflect.ValueOf(view).Pointer()
	for _, c := range []struct {
		what      string
		recovered any
		off       int64
		ok        bool
	}{
		{"the first byte", fault{at: start}, 0, true},
		{"the last byte", fault{at: start + 99}, 99, true},
		{"behind it", fault{at: start + 100}, 0, false},
		{"before it", fault{at: start - 1}, 0, false},
		{"an address near zero", fault{at: 8}, 0, false},
		{"no fault", errors.New("something else"), 0, false},
		{"no error", "boom", 0, false},
	} {
		if off, ok := vfs.FaultOn(view, c.recovered); off != c.off || ok != c.ok {
			t.Errorf("%s: %d, %v", c.what, off, ok)
		}
	}
	if _, ok := vfs.FaultOn(nil, fault{at: start}); ok {
		t.Error("a fault on no view")
	}
}
