//go:build lmdb && cgo

package lmdb

import "testing"

// BenchmarkSession tells what the way to LMDB and back costs, in a store of one key.
func BenchmarkSession(b *testing.B) {
	s := newTestSession(b)
	key, value := []byte("fig"), []byte("ripe")
	if err := s.Put(key, value); err != nil {
		b.Fatal(err)
	}
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Get(key, func([]byte) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("put", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := s.Put(key, value); err != nil {
				b.Fatal(err)
			}
		}
	})
}
