package vfs

import (
	"reflect"

	"golang.org/x/exp/mmap"
)

// viewOf returns the memory behind an x/exp/mmap reader, or nil where there is none.
//
// The package offers only copying reads, and on some platforms does not map at all. It keeps the
// mapping in an unexported byte slice, which reflection may read (only Interface and Set are
// refused), so no unsafe code is needed. The field is an implementation detail of that package:
// the slice is believed only after it has been compared with what the public methods say, and a
// test fails when a new version of the package moves the field.
//
// The caller keeps the reader reachable for as long as it uses the view: a finalizer on the
// reader removes the mapping.
func viewOf(r *mmap.ReaderAt) []byte {
	field := reflect.ValueOf(r).Elem().FieldByName("data")
	if !field.IsValid() || field.Kind() != reflect.Slice || field.Type().Elem().Kind() != reflect.Uint8 {
		return nil
	}
	view := field.Bytes()
	if len(view) == 0 || len(view) != r.Len() {
		return nil
	}
	const samples = 16
	var sample [1]byte
	for i := range int64(samples) {
		at := int(i * int64(len(view)-1) / (samples - 1))
		if copyGuarded(sample[:], view[at:], view, "sample") != nil || sample[0] != r.At(at) {
			return nil
		}
	}
	return view[:len(view):len(view)]
}
