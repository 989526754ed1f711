package simfs

import (
	"io"
	"slices"
	"sync"
)

const (
	// pageBytes is the unit in which contents share memory. It is not the unit in which writes tear.
	pageBytes = 4096

	// maxFileBytes bounds a file, so that no offset costs more than a page table of 8 MiB.
	maxFileBytes = 4 << 30
)

// content is the bytes of one file at one time. A clone shares all memory with its original; the
// first write to either copies what it touches.
//
// Invariants: a page whose owner is not the content's is never written to; nor is any page, or the
// list of them, unless owned; bytes at and past size are zero.
type content struct {
	size  int64
	pages []*page // nil is a page of zeros
	owner *owner
	owned bool
	flat  *flatView // shared by clones; nil after a change
}

type page struct {
	owner *owner
	data  [pageBytes]byte
}

// owner tells the pages of one content from those it shares. It has a size because pointers to
// distinct values of no size may be equal.
type owner struct{ _ byte }

// flatView is a content as one slice, made when first asked for.
type flatView struct {
	once  sync.Once
	bytes []byte
}

// clone returns an independent copy.
func (c *content) clone() content {
	if c.flat == nil {
		c.flat = new(flatView)
	}
	c.owned = false
	return content{size: c.size, pages: c.pages, flat: c.flat}
}

// write stores p at off, growing the content if need be.
func (c *content) write(p []byte, off int64) {
	c.grow(off + int64(len(p)))
	for len(p) > 0 {
		n := copy(c.pageForWrite(off / pageBytes)[off%pageBytes:], p)
		p, off = p[n:], off+int64(n)
	}
}

// grow adds zeros up to size; a size not above the present one changes nothing.
func (c *content) grow(size int64) {
	c.own()
	if size <= c.size {
		return
	}
	count := int((size + pageBytes - 1) / pageBytes)
	c.pages = append(c.pages, make([]*page, count-len(c.pages))...)
	c.size = size
}

// own gets the content ready for a change.
func (c *content) own() {
	c.flat = nil
	if c.owned {
		return
	}
	c.pages, c.owner, c.owned = slices.Clone(c.pages), new(owner), true
}

// pageForWrite returns page i of an owned content, copied if somebody else may see it.
func (c *content) pageForWrite(i int64) []byte {
	old := c.pages[i]
	if old != nil && old.owner == c.owner {
		return old.data[:]
	}
	fresh := &page{owner: c.owner}
	if old != nil {
		fresh.data = old.data
	}
	c.pages[i] = fresh
	return fresh.data[:]
}

// readAt is io.ReaderAt for an offset that is not negative.
func (c *content) readAt(p []byte, off int64) (int, error) {
	if off >= c.size {
		return 0, io.EOF
	}
	want := int(min(int64(len(p)), c.size-off))
	for n := 0; n < want; {
		at := off + int64(n)
		part := p[n:min(want, n+pageBytes-int(at%pageBytes))]
		if pg := c.pages[at/pageBytes]; pg != nil {
			copy(part, pg.data[at%pageBytes:])
		} else {
			clear(part)
		}
		n += len(part)
	}
	if want < len(p) {
		return want, io.EOF
	}
	return want, nil
}

// bytes returns the whole content as one slice, which later writes do not change. Clones that have
// not been written to return the same slice.
func (c *content) bytes() []byte {
	if c.flat == nil {
		c.flat = new(flatView)
	}
	c.flat.once.Do(func() {
		flat := make([]byte, c.size)
		_, _ = c.readAt(flat, 0) // fails only with io.EOF, for no bytes
		c.flat.bytes = flat
	})
	return slices.Clip(c.flat.bytes)
}
