package offheap

import (
	"encoding/binary"
	"testing"
)

func alloc(t *testing.T, size int) *Region {
	t.Helper()
	r, err := Alloc(size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Free() })
	return r
}

func TestAlloc_RoundsUpToWholeWords(t *testing.T) {
	for _, c := range []struct{ ask, get int }{{1, 8}, {8, 8}, {9, 16}, {4096, 4096}, {3 << 20, 3 << 20}} {
		r := alloc(t, c.ask)
		if r.Len() != c.get || len(r.Bytes()) != c.get || len(r.Uint32s()) != c.get/4 || len(r.Uint64s()) != c.get/8 {
			t.Errorf("%d bytes: %d bytes, %d and %d words", c.ask, len(r.Bytes()), len(r.Uint32s()), len(r.Uint64s()))
		}
	}
}

func TestAlloc_IsZero(t *testing.T) {
	for i, b := range alloc(t, 3<<20).Bytes() {
		if b != 0 {
			t.Fatalf("byte %d is %#x", i, b)
		}
	}
}

func TestRegion_ShowsTheSameMemoryThreeTimes(t *testing.T) {
	r := alloc(t, 64)
	r.Uint64s()[1] = 0x1122334455667788
	if got := binary.NativeEndian.Uint64(r.Bytes()[8:]); got != 0x1122334455667788 {
		t.Errorf("bytes show %x", got)
	}
	r.Uint32s()[15] = 0xaabbccdd
	if got := binary.NativeEndian.Uint32(r.Bytes()[60:]); got != 0xaabbccdd {
		t.Errorf("bytes show %x", got)
	}
}

func TestAlloc_RefusesSizesThatAreNone(t *testing.T) {
	for _, size := range []int{0, -1, -1 << 31} {
		if r, err := Alloc(size); err == nil {
			t.Errorf("%d bytes: %d", size, r.Len())
		}
	}
}

func TestFree_IsIdempotent(t *testing.T) {
	r := alloc(t, 1<<20)
	for range 2 {
		if err := r.Free(); err != nil || r.Len() != 0 {
			t.Errorf("%v, %d bytes left", err, r.Len())
		}
	}
}
