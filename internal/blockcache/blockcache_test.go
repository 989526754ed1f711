package blockcache

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func block(table uint64, off int64) []byte { return fmt.Appendf(nil, "block %d of %d", off, table) }

func TestCache_FindsWhatItWasGivenOrNothing(t *testing.T) {
	c := New(1<<20, 64)
	defer c.Unref()
	for table := range uint64(4) {
		for off := range int64(100) {
			if c.Get(table, off*64) != nil {
				t.Fatalf("block %d of %d is there before it was put", off, table)
			}
			c.Put(table, off*64, block(table, off*64))
			c.Wait() // or it may drop what comes too fast
		}
	}
	found := 0
	for table := range uint64(5) {
		for off := range int64(101) {
			data := c.Get(table, off*64)
			if data != nil && !bytes.Equal(data, block(table, off*64)) {
				t.Errorf("block %d of %d: got %q", off, table, data)
			}
			if data != nil {
				found++
			}
		}
	}
	if found != 400 {
		t.Errorf("found %d blocks of 400 that have room", found)
	}
	if s := c.Stats(); s.Hits != 400 || s.Misses != 400+105 || s.Held < 400*10 {
		t.Errorf("%+v", s)
	}
}

func TestCache_KeepsToItsSize(t *testing.T) {
	c := New(100<<10, 1<<10)
	defer c.Unref()
	for off := range int64(10_000) {
		c.Put(1, off, make([]byte, 1<<10))
		if off%50 == 0 {
			c.Wait()
		}
	}
	c.Wait()
	s := c.Stats()
	if s.Held > 100<<10 || s.Held < 50<<10 || s.Dropped+s.Rejected+s.Evicted < 9_000 {
		t.Errorf("%+v", s)
	}
}

func TestCache_TakesNoMoreAtOnceThanItCanLookAt(t *testing.T) {
	c := New(64<<10, 1<<10)
	defer c.Unref()
	c.make()
	c.pending.Store(c.size) // as if ristretto's goroutine did not get a processor
	c.Put(1, 0, make([]byte, 1<<10))
	if s := c.Stats(); s.Dropped != 1 {
		t.Errorf("%+v", s)
	}
	c.pending.Store(0)
	c.Put(1, 0, make([]byte, 1<<10))
	c.Wait()
	if c.Get(1, 0) == nil || c.pending.Load() != 0 {
		t.Errorf("the block is not there, or %d bytes are still pending", c.pending.Load())
	}
}

func TestCache_ThatIsNilHoldsNothing(t *testing.T) {
	var c *Cache
	c.Ref()
	c.Put(1, 0, block(1, 0))
	if c.Get(1, 0) != nil || c.Stats() != (Stats{}) {
		t.Error("it holds something")
	}
	c.Unref()
}

func TestCache_ClosesWithItsLastReferenceAndNotBefore(t *testing.T) {
	c := New(1<<20, 64)
	if c.ristretto.Load() != nil {
		t.Error("made before there was a block")
	}
	c.Put(1, 0, block(1, 0))
	c.Wait()
	c.Ref()
	c.Unref()
	data := c.Get(1, 0)
	if data == nil {
		t.Fatal("closed with a reference left")
	}
	c.Unref()
	if !bytes.Equal(data, block(1, 0)) {
		t.Error("a block changed when the cache was closed")
	}
	for i := 0; strings.Contains(goroutines(), "ristretto"); i++ {
		runtime.Gosched() // they were told to end and waited for, but for their last instructions
		if i == 10_000 {
			t.Fatalf("a goroutine is left:\n%s", goroutines())
		}
	}
}

func goroutines() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

func TestCache_ManyAtOnce(t *testing.T) {
	c := New(1<<20, 64)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for off := range int64(2_000) {
				if data := c.Get(1, off%500); data != nil && !bytes.Equal(data, block(1, off%500)) {
					t.Errorf("got %q", data)
				}
				c.Put(1, off%500, block(1, off%500))
			}
		})
	}
	wg.Wait()
	c.Unref()
}

func BenchmarkGet(b *testing.B) {
	c := New(64<<20, 4<<10)
	defer c.Unref()
	for off := range int64(8_000) {
		c.Put(1, off*4096, make([]byte, 4<<10))
		if off%100 == 0 {
			c.Wait()
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.Get(1, int64(i%8_000)*4096)
	}
}
