//go:build lmdb && cgo

package lmdb

import (
	"errors"
	"testing"

	"github.com/tinykv/tinykv/bench/peers/engine"
	"github.com/tinykv/tinykv/bench/peers/engine/enginetest"
)

func TestEngine(t *testing.T) { enginetest.Run(t, New()) }

// What allocates here would be measured as LMDB's.
func TestSession_DoesNotAllocate(t *testing.T) {
	s := newTestSession(t)
	key, value := []byte("fig"), []byte("ripe")
	keys, values := [][]byte{key}, [][]byte{value}
	look := func([]byte) error { return nil }
	each := func(int, []byte) error { return nil }
	tests := map[string]func() error{
		"Put":      func() error { return s.Put(key, value) },
		"Get":      func() error { _, err := s.Get(key, look); return err },
		"PutBatch": func() error { return s.PutBatch(keys, values) },
		"MultiGet": func() error { return s.MultiGet(keys, each) },
		"Delete":   func() error { return s.Delete(key) },
		"iterator": func() error { return seekOnce(s, key) },
	}
	for name, op := range tests {
		t.Run(name, func(t *testing.T) {
			n := testing.AllocsPerRun(100, func() {
				if err := op(); err != nil {
					t.Fatal(err)
				}
			})
			if n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

func seekOnce(s engine.Session, key []byte) error {
	it, err := s.NewIterator(engine.Plan{Entries: 1})
	if err != nil {
		return err
	}
	it.SeekGE(key)
	return it.Close()
}

func newTestSession(t testing.TB) engine.Session {
	store, err := New().Open(t.TempDir(), engine.Config{Profile: engine.Equal})
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.NewSession(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}
