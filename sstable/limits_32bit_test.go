//go:build 386 || arm || mips || mipsle

package sstable

import (
	"testing"
)

// sparse is a mapping of a file that is larger than any slice here, of which only the end holds
// anything.
type sparse struct {
	memory
	size int64
}

func (s *sparse) Len() int64 { return s.size }

func (s *sparse) ReadAt(p []byte, off int64) (int, error) {
	return s.memory.ReadAt(p, off-(s.size-int64(len(s.data))))
}

func TestReader_SectionThatNoSliceCanHoldIsCorruption(t *testing.T) {
	for i := range sectionCount {
		f := footer{id: testID}
		f.sections[i] = handle{length: 3 << 30}
		if i == sectionRangeDels {
			continue // refused before that
		}
		m := &sparse{memory: memory{data: f.encode(), copies: true}, size: 4 << 30}
		if _, err := NewReader(m, ReaderOptions{ID: testID}); failure(errOr(err)) != "corrupt" {
			t.Errorf("section %d: %v", i, err)
		}
	}
}
