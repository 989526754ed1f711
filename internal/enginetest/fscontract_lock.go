package enginetest

import (
	"io"
	"io/fs"
	"sync"

	"github.com/tinykv/tinykv/vfs"
)

var fsLockFacts = []fsFact{
	{"Lock makes its file", func(f *fsFixture) {
		lock, err := f.Lock(f.path("LOCK"))
		f.must(err)
		defer f.close(lock)
		f.lists(f.dir, "LOCK")
	}},
	{"Lock takes a file that is there", func(f *fsFixture) {
		f.put(f.path("LOCK"), "")
		lock, err := f.Lock(f.path("LOCK"))
		f.must(err)
		f.close(lock)
	}},
	{"only one holds a lock", func(f *fsFixture) {
		lock, err := f.Lock(f.path("LOCK"))
		f.must(err)
		for range 2 {
			_, err := f.Lock(f.path("LOCK"))
			f.refused("second lock", err, vfs.ErrLocked, f.path("LOCK"))
		}
		f.close(lock)
		lock, err = f.Lock(f.path("LOCK"))
		f.must(err)
		f.close(lock)
	}},
	{"closing a lock twice is harmless", func(f *fsFixture) {
		first, err := f.Lock(f.path("LOCK"))
		f.must(err)
		f.close(first)
		f.close(first)
		second, err := f.Lock(f.path("LOCK"))
		f.must(err)
		defer f.close(second)
		f.close(first)
		_, err = f.Lock(f.path("LOCK"))
		f.refused("third lock", err, vfs.ErrLocked, f.path("LOCK"))
	}},
	{"locks on two files have nothing to do with each other", func(f *fsFixture) {
		a, err := f.Lock(f.path("a"))
		f.must(err)
		b, err := f.Lock(f.path("b"))
		f.must(err)
		f.close(a)
		f.close(b)
	}},
	{"a shared lock is held by many and keeps others from holding it alone", func(f *fsFixture) {
		f.put(f.path("LOCK"), "")
		a, err := f.LockShared(f.path("LOCK"))
		f.must(err)
		b, err := f.LockShared(f.path("LOCK"))
		f.must(err)
		f.close(a)
		f.close(a)
		_, err = f.Lock(f.path("LOCK"))
		f.refused("lock", err, vfs.ErrLocked, f.path("LOCK"))
		f.close(b)
		f.holds(f.path("LOCK"), "")
		c, err := f.Lock(f.path("LOCK"))
		f.must(err)
		_, err = f.LockShared(f.path("LOCK"))
		f.refused("shared lock", err, vfs.ErrLocked, f.path("LOCK"))
		f.close(c)
		d, err := f.LockShared(f.path("LOCK"))
		f.must(err)
		f.close(d)
	}},
	{"a shared lock makes no file", func(f *fsFixture) {
		_, err := f.LockShared(f.path("LOCK"))
		f.refused("shared lock", err, fs.ErrNotExist, f.path("LOCK"))
		f.lists(f.dir)
	}},
	{"of many who try at once one gets the lock", func(f *fsFixture) {
		var tries sync.WaitGroup
		held := make(chan io.Closer, 8)
		for range cap(held) {
			tries.Go(func() {
				lock, err := f.Lock(f.path("LOCK"))
				if err == nil {
					held <- lock
					return
				}
				f.refused("lock", err, vfs.ErrLocked, f.path("LOCK"))
			})
		}
		tries.Wait()
		if len(held) != 1 {
			f.Errorf("%d hold the lock", len(held))
		}
		for range len(held) {
			f.close(<-held)
		}
	}},
}
