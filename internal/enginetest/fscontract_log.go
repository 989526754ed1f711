package enginetest

import (
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/tinykv/tinykv/vfs"
)

var fsLogFacts = []fsFact{
	{"a new log has no room", func(f *fsFixture) {
		log := f.log(0)
		defer f.close(log)
		f.room(log, 0)
		f.holds(f.path("log"), "")
	}},
	{"Extend adds zeros", func(f *fsFixture) {
		log := f.log(0)
		defer f.close(log)
		for _, size := range []int{1, 4095, 4096, 300_000, 1 << 20} {
			f.must(log.Extend(int64(size)))
			f.room(log, size)
			f.holds(f.path("log"), strings.Repeat("\x00", size))
			f.reads(log, 0, strings.Repeat("\x00", size))
		}
	}},
	{"Extend keeps the contents", func(f *fsFixture) {
		log := f.log(10)
		defer f.close(log)
		f.must(log.WriteMapped([]byte("mapped"), 0))
		f.writeAt(log, "at", 8)
		f.must(log.Extend(20))
		f.reads(log, 0, "mapped\x00\x00at\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
		f.must(log.WriteMapped([]byte("end"), 17))
		f.holds(f.path("log"), "mapped\x00\x00at\x00\x00\x00\x00\x00\x00\x00end")
	}},
	{"Extend to a size not above the present one changes nothing", func(f *fsFixture) {
		log := f.log(4)
		defer f.close(log)
		f.writeAt(log, "wxyz", 0)
		for _, size := range []int64{4, 3, 0, -1} {
			f.must(log.Extend(size))
		}
		f.room(log, 4)
		f.holds(f.path("log"), "wxyz")
	}},
	{"both ways of writing reach one file", func(f *fsFixture) {
		log := f.log(10_000)
		f.must(log.WriteMapped([]byte("aaaaaa"), 4093))
		f.writeAt(log, "bb", 4095)
		f.must(log.WriteMapped([]byte("c"), 4096))
		want := "aabcaa"
		f.reads(log, 4093, want)
		reader, err := f.Open(f.path("log"))
		f.must(err)
		f.reads(reader, 4093, want)
		f.close(reader)
		f.must(log.Datasync())
		f.close(log)
		f.holds(f.path("log"), strings.Repeat("\x00", 4093)+want+strings.Repeat("\x00", 10_000-4093-len(want)))
	}},
	{"writes leave the caller its slice", func(f *fsFixture) {
		log := f.log(4)
		defer f.close(log)
		p := []byte("x")
		f.must(log.WriteMapped(p, 0))
		_, err := log.WriteAt(p, 1)
		f.must(err)
		p[0] = 'y'
		f.holds(f.path("log"), "xx\x00\x00")
	}},
	{"writes outside the room fail and change nothing", func(f *fsFixture) {
		log := f.log(4)
		defer f.close(log)
		for _, off := range []int64{-1, 3, 4, 5, 4096, math.MaxInt64, math.MaxInt64 - 1, math.MinInt64} {
			if n, err := log.WriteAt([]byte("xy"), off); err == nil || n != 0 {
				f.Errorf("WriteAt %d stored %d bytes, %v", off, n, err)
			}
			if log.WriteMapped([]byte("xy"), off) == nil {
				f.Errorf("WriteMapped %d worked", off)
			}
		}
		f.room(log, 4)
		f.holds(f.path("log"), "\x00\x00\x00\x00")
	}},
	{"a log without room takes no write", func(f *fsFixture) {
		log := f.log(0)
		defer f.close(log)
		if _, err := log.WriteAt([]byte("x"), 0); err == nil {
			f.Error("WriteAt worked")
		}
		if err := log.WriteMapped([]byte("x"), 0); err == nil || !strings.Contains(err.Error(), f.path("log")) {
			f.Errorf("WriteMapped: %v", err)
		}
		f.holds(f.path("log"), "")
	}},
	{"ReadAt tells where a log ends", func(f *fsFixture) {
		log := f.log(4)
		defer f.close(log)
		f.endsAt(log, 4)
	}},
	{"a log outlives its name", func(f *fsFixture) {
		log := f.log(4)
		defer f.close(log)
		f.must(f.Rename(f.path("log"), f.path("other")))
		f.writeAt(log, "rena", 0)
		f.holds(f.path("other"), "rena")
		f.must(f.Remove(f.path("other")))
		f.must(log.WriteMapped([]byte("gone"), 0))
		f.must(log.Extend(8))
		f.must(log.Datasync())
		f.reads(log, 0, "gone\x00\x00\x00\x00")
	}},
	{"one goroutine may write while another syncs", func(f *fsFixture) {
		log := f.log(100_000)
		defer f.close(log)
		var others sync.WaitGroup
		others.Go(func() {
			for range 20 {
				if err := log.Datasync(); err != nil {
					f.Error(err)
				}
			}
		})
		for i := range int64(1000) {
			_, err := log.WriteAt([]byte("xy"), i*100)
			f.must(errors.Join(err, log.WriteMapped([]byte("z"), i*100+2)))
		}
		others.Wait()
		f.reads(log, 99_900, "xyz\x00")
	}},
	{"a log is an array of bytes", func(f *fsFixture) {
		rng := rand.New(rand.NewPCG(3, 3))
		log := f.log(0)
		defer f.close(log)
		var model []byte
		for range 500 {
			switch p := fsNoise(rng, rng.IntN(9000)); rng.IntN(3) {
			case 0:
				grown := len(model) + rng.IntN(2000)
				f.must(log.Extend(int64(grown)))
				model = append(model, make([]byte, grown-len(model))...)
			case 1:
				p = p[:min(len(p), len(model))]
				off := rng.IntN(len(model) - len(p) + 1)
				f.writeAt(log, string(p), int64(off))
				copy(model[off:], p)
			case 2:
				p = p[:min(len(p), len(model))]
				off := rng.IntN(len(model) - len(p) + 1)
				f.must(log.WriteMapped(p, int64(off)))
				copy(model[off:], p)
			}
		}
		f.reads(log, 0, string(model))
		f.holds(f.path("log"), string(model))
	}},
}

// log makes a log with room.
func (f *fsFixture) log(size int64) vfs.Log {
	f.Helper()
	log, err := f.CreateLog(f.path("log"))
	f.must(err)
	f.must(log.Extend(size))
	return log
}

func (f *fsFixture) room(log vfs.Log, want int) {
	f.Helper()
	if got := log.Size(); got != int64(want) {
		f.Errorf("room for %d bytes, want %d", got, want)
	}
}

func (f *fsFixture) writeAt(w io.WriterAt, content string, off int64) {
	f.Helper()
	n, err := w.WriteAt([]byte(content), off)
	f.must(err)
	if n != len(content) {
		f.Errorf("wrote %d of %d bytes", n, len(content))
	}
}
