package enginetest

import (
	"io"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/tinykv/tinykv/vfs"
)

var fsFileFacts = []fsFact{
	{"Write appends", func(f *fsFixture) {
		file, err := f.Create(f.path("a"))
		f.must(err)
		for _, piece := range []string{"one ", "", "two ", "three"} {
			n, err := file.Write([]byte(piece))
			f.must(err)
			if n != len(piece) {
				f.Errorf("wrote %d of %d bytes", n, len(piece))
			}
		}
		size, err := file.Size()
		f.must(err)
		if size != 13 {
			f.Errorf("size %d of the open file", size)
		}
		f.close(file)
		f.holds(f.path("a"), "one two three")
	}},
	{"Write leaves the caller its slice", func(f *fsFixture) {
		file, err := f.Create(f.path("a"))
		f.must(err)
		p := []byte("x")
		_, err = file.Write(p)
		f.must(err)
		p[0] = 'y'
		f.close(file)
		f.holds(f.path("a"), "x")
	}},
	{"contents are seen before they are synced", func(f *fsFixture) {
		file, err := f.Create(f.path("a"))
		f.must(err)
		defer f.close(file)
		_, err = file.Write([]byte("x"))
		f.must(err)
		f.holds(f.path("a"), "x")
	}},
	{"a file that was opened cannot be written to", func(f *fsFixture) {
		f.put(f.path("a"), "x")
		file, err := f.Open(f.path("a"))
		f.must(err)
		defer f.close(file)
		if _, err := file.Write([]byte("y")); err == nil {
			f.Error("it was written to")
		}
		f.holds(f.path("a"), "x")
	}},
	{"ReadAt tells where a file ends", func(f *fsFixture) {
		f.put(f.path("a"), "xyz")
		file, err := f.Open(f.path("a"))
		f.must(err)
		defer f.close(file)
		f.endsAt(file, 3)
	}},
	{"ReadAt may be called concurrently", func(f *fsFixture) {
		f.put(f.path("a"), strings.Repeat("0123456789", 1000))
		file, err := f.Open(f.path("a"))
		f.must(err)
		defer f.close(file)
		f.readConcurrently(file)
	}},
	{"a large file is read as it was written", func(f *fsFixture) {
		rng := rand.New(rand.NewPCG(1, 1))
		content := fsNoise(rng, 3<<20+17)
		file, err := f.Create(f.path("a"))
		f.must(err)
		for rest := content; len(rest) > 0; {
			n, err := file.Write(rest[:min(len(rest), 1+rng.IntN(100_000))])
			f.must(err)
			rest = rest[n:]
		}
		f.must(file.Sync())
		f.close(file)
		f.holds(f.path("a"), string(content))
	}},
	{"errors of a file name it", func(f *fsFixture) {
		file, err := f.Create(f.path("a"))
		f.must(err)
		f.close(file)
		file, err = f.Open(f.path("a"))
		f.must(err)
		defer f.close(file)
		_, err = file.Write([]byte("x"))
		if err == nil || !strings.Contains(err.Error(), f.path("a")) {
			f.Errorf("error %v", err)
		}
	}},
}

var fsMappingFacts = []fsFact{
	{"Map shows the file", func(f *fsFixture) {
		for _, content := range []string{"x", strings.Repeat("0123456789", 5000)} {
			f.put(f.path("a"), content)
			m, err := f.Map(f.path("a"))
			f.must(err)
			f.mapped(m, content)
			m.Announce(0, m.Len())
			m.Announce(m.Len()-1, 1)
			f.must(m.Populate(0, m.Len()))
			f.must(m.Populate(m.Len()-1, 1))
			f.mapped(m, content)
			f.close(m)
			f.must(f.Remove(f.path("a")))
		}
	}},
	{"Map and ReadAt agree in every place", func(f *fsFixture) {
		rng := rand.New(rand.NewPCG(2, 2))
		content := fsNoise(rng, 100_000)
		f.put(f.path("a"), string(content))
		m, err := f.Map(f.path("a"))
		f.must(err)
		defer f.close(m)
		for range 100 {
			off := rng.IntN(len(content))
			f.reads(m, int64(off), string(content[off:off+rng.IntN(len(content)-off+1)]))
		}
		f.endsAt(m, int64(len(content)))
	}},
	{"a mapping outlives the file's name", func(f *fsFixture) {
		f.put(f.path("a"), "first")
		m, err := f.Map(f.path("a"))
		f.must(err)
		defer f.close(m)
		f.must(f.Remove(f.path("a")))
		f.mapped(m, "first")
		f.put(f.path("a"), "other")
		f.mapped(m, "first")
	}},
	{"a file can be mapped more than once", func(f *fsFixture) {
		f.put(f.path("a"), "x")
		first, err := f.Map(f.path("a"))
		f.must(err)
		second, err := f.Map(f.path("a"))
		f.must(err)
		f.close(first)
		f.mapped(second, "x")
		f.close(second)
	}},
	{"ReadAt of a mapping may be called concurrently", func(f *fsFixture) {
		f.put(f.path("a"), strings.Repeat("0123456789", 1000))
		m, err := f.Map(f.path("a"))
		f.must(err)
		defer f.close(m)
		f.readConcurrently(m)
	}},
}

// mapped expects a mapping with this content.
func (f *fsFixture) mapped(m vfs.Mapping, want string) {
	f.Helper()
	if m.Len() != int64(len(want)) {
		f.Fatalf("mapping of %d bytes, want %d", m.Len(), len(want))
	}
	if view := m.Bytes(); view != nil && string(view) != want {
		f.Errorf("the view differs from the file: %q", clip(view))
	}
	f.reads(m, 0, want)
}

// endsAt expects io.ReaderAt's behaviour at the end of a file of two bytes or more.
func (f *fsFixture) endsAt(r io.ReaderAt, size int64) {
	f.Helper()
	p := make([]byte, 2)
	if n, err := r.ReadAt(p, size-1); n != 1 || err != io.EOF {
		f.Errorf("read across the end: %d bytes, %v", n, err)
	}
	if n, err := r.ReadAt(p, size); n != 0 || err != io.EOF {
		f.Errorf("read at the end: %d bytes, %v", n, err)
	}
	if n, err := r.ReadAt(p, size+1); n != 0 || err == nil {
		f.Errorf("read behind the end: %d bytes, %v", n, err)
	}
	if n, err := r.ReadAt(p, -1); n != 0 || err == nil {
		f.Errorf("read at a negative offset: %d bytes, %v", n, err)
	}
}

// readConcurrently reads a file of 10,000 digits.
func (f *fsFixture) readConcurrently(r io.ReaderAt) {
	var readers sync.WaitGroup
	for i := range 4 {
		readers.Go(func() {
			p := make([]byte, 10)
			for j := range 250 {
				if _, err := r.ReadAt(p, int64(i*2500+j*10)); err != nil || string(p) != "0123456789" {
					f.Errorf("read %q, %v", p, err)
				}
			}
		})
	}
	readers.Wait()
}

// fsNoise returns random bytes.
func fsNoise(rng *rand.Rand, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(rng.Uint32())
	}
	return p
}
