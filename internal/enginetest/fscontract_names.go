package enginetest

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/tinykv/tinykv/vfs"
)

var fsNameFacts = []fsFact{
	{"Create makes an empty file", func(f *fsFixture) {
		file, err := f.Create(f.path("a"))
		f.must(err)
		f.close(file)
		f.holds(f.path("a"), "")
		f.lists(f.dir, "a")
	}},
	{"Create and CreateLog refuse a name that is taken", func(f *fsFixture) {
		f.put(f.path("file"), "x")
		log, err := f.CreateLog(f.path("log"))
		f.must(err)
		f.close(log)
		f.must(f.MkdirAll(f.path("dir")))
		for _, name := range []string{"file", "log", "dir"} {
			_, err := f.Create(f.path(name))
			f.refused("create "+name, err, fs.ErrExist, f.path(name))
			_, err = f.CreateLog(f.path(name))
			f.refused("create log "+name, err, fs.ErrExist, f.path(name))
		}
		f.holds(f.path("file"), "x")
	}},
	{"a name that leads nowhere matches fs.ErrNotExist", func(f *fsFixture) {
		for _, path := range []string{f.path("none"), f.path("none", "a")} {
			_, err := f.Open(path)
			f.refused("open", err, fs.ErrNotExist, path)
			_, err = f.Map(path)
			f.refused("map", err, fs.ErrNotExist, path)
			_, err = f.Stat(path)
			f.refused("stat", err, fs.ErrNotExist, path)
			_, err = f.List(path)
			f.refused("list", err, fs.ErrNotExist, path)
			f.refused("remove", f.Remove(path), fs.ErrNotExist, path)
			f.refused("rename", f.Rename(path, f.path("b")), fs.ErrNotExist, path)
		}
	}},
	{"nothing is made in a directory that does not exist", func(f *fsFixture) {
		path := f.path("none", "a")
		_, err := f.Create(path)
		f.refused("create", err, fs.ErrNotExist, path)
		_, err = f.CreateLog(path)
		f.refused("create log", err, fs.ErrNotExist, path)
		_, err = f.Lock(path)
		f.refused("lock", err, fs.ErrNotExist, path)
		f.put(f.path("a"), "x")
		if f.Rename(f.path("a"), path) == nil {
			f.Error("rename into a directory that does not exist")
		}
		f.lists(f.dir, "a")
	}},
	{"a directory is not a regular file", func(f *fsFixture) {
		f.must(f.MkdirAll(f.path("dir")))
		_, err := f.Open(f.path("dir"))
		f.refused("open", err, vfs.ErrNotRegular, f.path("dir"))
		_, err = f.Map(f.path("dir"))
		f.refused("map", err, vfs.ErrNotRegular, f.path("dir"))
		_, err = f.Lock(f.path("dir"))
		f.refused("lock", err, vfs.ErrNotRegular, f.path("dir"))
	}},
	{"Remove deletes the name and nothing else", func(f *fsFixture) {
		f.put(f.path("a"), "x")
		f.put(f.path("b"), "y")
		f.must(f.Remove(f.path("a")))
		f.lists(f.dir, "b")
		f.holds(f.path("b"), "y")
		f.put(f.path("a"), "z")
		f.holds(f.path("a"), "z")
	}},
	{"open files outlive their names", func(f *fsFixture) {
		f.put(f.path("a"), "x")
		reader, err := f.Open(f.path("a"))
		f.must(err)
		defer f.close(reader)
		writer, err := f.Create(f.path("b"))
		f.must(err)
		defer f.close(writer)
		f.must(f.Remove(f.path("a")))
		f.must(f.Remove(f.path("b")))
		f.reads(reader, 0, "x")
		_, err = writer.Write([]byte("y"))
		f.must(err)
		f.must(writer.Sync())
	}},
	{"Rename gives a file a new name", func(f *fsFixture) {
		f.put(f.path("a"), "x")
		f.must(f.MkdirAll(f.path("dir")))
		f.must(f.Rename(f.path("a"), f.path("b")))
		f.lists(f.dir, "b", "dir")
		f.holds(f.path("b"), "x")
		f.must(f.Rename(f.path("b"), f.path("dir", "c")))
		f.lists(f.dir, "dir")
		f.holds(f.path("dir", "c"), "x")
	}},
	{"Rename replaces what the new name led to", func(f *fsFixture) {
		f.put(f.path("a"), "new")
		f.put(f.path("b"), "old")
		reader, err := f.Open(f.path("b"))
		f.must(err)
		defer f.close(reader)
		f.must(f.Rename(f.path("a"), f.path("b")))
		f.lists(f.dir, "b")
		f.holds(f.path("b"), "new")
		f.reads(reader, 0, "old")
	}},
	{"Rename of a file to its own name changes nothing", func(f *fsFixture) {
		f.put(f.path("a"), "x")
		f.must(f.Rename(f.path("a"), f.path("a")))
		f.holds(f.path("a"), "x")
	}},
	{"Rename does not replace a directory", func(f *fsFixture) {
		f.put(f.path("a"), "x")
		f.must(f.MkdirAll(f.path("dir")))
		if f.Rename(f.path("a"), f.path("dir")) == nil {
			f.Error("a file replaced a directory")
		}
		f.holds(f.path("a"), "x")
		f.lists(f.dir, "a", "dir")
	}},
	{"List returns the names in one directory", func(f *fsFixture) {
		f.lists(f.dir)
		f.must(f.MkdirAll(f.path("dir", "deep")))
		f.put(f.path("dir", "a"), "")
		f.put(f.path("b"), "")
		f.lists(f.dir, "b", "dir")
		f.lists(f.path("dir"), "a", "deep")
		f.lists(f.path("dir", "deep"))
	}},
	{"Stat tells files from directories", func(f *fsFixture) {
		f.put(f.path("a"), "xyz")
		info, err := f.Stat(f.path("a"))
		f.must(err)
		if info != (vfs.Info{SizeBytes: 3, IsRegular: true}) {
			f.Errorf("a file is %+v", info)
		}
		info, err = f.Stat(f.dir)
		f.must(err)
		if !info.IsDir || info.IsRegular {
			f.Errorf("a directory is %+v", info)
		}
	}},
	{"names are cleaned as package path/filepath does", func(f *fsFixture) {
		separator := string(filepath.Separator)
		f.put(f.dir+separator+"."+separator+separator+"a", "x")
		f.holds(f.path("a"), "x")
		f.lists(f.dir+separator, "a")
	}},
	{"MkdirAll makes all missing parents", func(f *fsFixture) {
		f.must(f.MkdirAll(f.path("x", "y", "z")))
		f.put(f.path("x", "y", "z", "a"), "x")
		f.must(f.MkdirAll(f.path("x", "y", "z")))
		f.holds(f.path("x", "y", "z", "a"), "x")
	}},
	{"MkdirAll fails where a file stands and leaves nothing behind", func(f *fsFixture) {
		f.put(f.path("a"), "x")
		for _, dir := range []string{f.path("a"), f.path("a", "b", "c")} {
			if f.MkdirAll(dir) == nil {
				f.Errorf("made %s", dir)
			}
			if info, err := f.Stat(dir); err == nil && info.IsDir {
				f.Errorf("%s is a directory", dir)
			}
		}
		f.holds(f.path("a"), "x")
	}},
	{"SyncDir works at any time", func(f *fsFixture) {
		f.must(f.SyncDir(f.dir))
		f.put(f.path("a"), "x")
		f.must(f.SyncDir(f.dir))
		f.must(f.Remove(f.path("a")))
		f.must(f.SyncDir(f.dir))
	}},
	{"Space, Type and CacheID answer", func(f *fsFixture) {
		space, err := f.Space(f.dir)
		if !errors.Is(err, errors.ErrUnsupported) {
			f.must(err)
			if space.FreeBytes < 0 || space.FreeBytes > space.TotalBytes || space.TotalBytes == 0 {
				f.Errorf("space is %+v", space)
			}
		}
		kind, err := f.Type(f.dir)
		f.must(err)
		if kind == "" {
			f.Error("the type has no name")
		}
		if first, second := f.CacheID(f.dir), f.CacheID(f.dir); first != second {
			f.Errorf("the boot id was %q and is %q", first, second)
		}
	}},
	{"methods may be called concurrently", func(f *fsFixture) {
		var workers sync.WaitGroup
		for i := range 4 {
			workers.Go(func() {
				for j := range 10 {
					path := f.path(fmt.Sprint(i, j))
					file, err := f.Create(path)
					if err != nil {
						f.Error(err)
						return
					}
					_, listErr := f.List(f.dir)
					_, statErr := f.Stat(path)
					err = errors.Join(file.Close(), listErr, statErr, f.SyncDir(f.dir),
						f.Rename(path, path+"b"), f.Remove(path+"b"))
					if err != nil {
						f.Error(err)
					}
				}
			})
		}
		workers.Wait()
		f.lists(f.dir)
	}},
}
