package tinykv_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/tinykv/tinykv"
)

// The guard around the callback of Peek takes only faults of mapped pages for itself.
func TestPeek_PanicsOfTheCallbackGoThrough(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	defer db.Close()
	must(t, db.Put([]byte("k"), []byte("v")))
	must(t, db.Compact(context.Background(), tinykv.All()))
	caught := func(fn func()) (recovered any) {
		defer func() { recovered = recover() }()
		_ = db.Peek([]byte("k"), func([]byte) error {
			fn()
			return nil
		})
		return "no panic"
	}
	if got := caught(func() { panic("mine") }); got != "mine" {
		t.Errorf("panic: %v", got)
	}
	var p *[100]int
	if _, ok := caught(func() { p[50]++ }).(runtime.Error); !ok {
		t.Error("a nil pointer was taken for a fault of the disk")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = db.Peek([]byte("k"), func([]byte) error {
			runtime.Goexit()
			return nil
		})
		t.Error("Goexit came back")
	}()
	<-done
	if v, err := db.Get([]byte("k")); err != nil || string(v) != "v" {
		t.Errorf("afterwards: %q, %v", v, err)
	}
}
