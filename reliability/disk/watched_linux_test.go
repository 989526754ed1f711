package disk

import (
	"errors"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/tinykv/tinykv/vfs"
)

// call is a kind of call that changes what is on a disk.
type call string

const (
	callCreate  call = "create"
	callWrite   call = "write"
	callMapped  call = "mapped write"
	callExtend  call = "extend"
	callSync    call = "sync"
	callSyncDir call = "directory sync"
	callRename  call = "rename"
	callRemove  call = "remove"
)

// calls are all of them.
var calls = []call{callCreate, callWrite, callMapped, callExtend, callSync, callSyncDir, callRename, callRemove}

// watchedFS is the file system of the operating system that tells of every call before it is made and once it is over.
type watchedFS struct {
	vfs.FS
	watcher
}

// watcher runs a function at one call to come.
type watcher struct {
	mu    sync.Mutex
	what  call       // guarded by mu; empty for any
	nth   int        // guarded by mu; calls until then, 0 for never
	after bool       // guarded by mu; once the call is over
	fire  func(call) // guarded by mu

	full atomic.Int64 // calls for which there was no room
}

// at has fire run at the nth call of a kind from now on, before or after it.
func (w *watcher) at(what call, nth int, after bool, fire func(call)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.what, w.nth, w.after, w.fire = what, nth, after, fire
}

// never has nothing run.
func (w *watcher) never() { w.at("", 0, false, nil) }

// around makes a call.
func (w *watcher) around(what call, do func() error) error {
	w.mu.Lock()
	var fire func(call)
	after := w.after
	if w.nth > 0 && (w.what == "" || w.what == what) {
		if w.nth--; w.nth == 0 {
			fire = w.fire
		}
	}
	w.mu.Unlock()
	if fire != nil && !after {
		fire(what)
	}
	err := do()
	if errors.Is(err, syscall.ENOSPC) {
		w.full.Add(1)
	}
	if fire != nil && after {
		fire(what)
	}
	return err
}

func watched() *watchedFS { return &watchedFS{FS: vfs.OS()} }

func (f *watchedFS) Create(name string) (file vfs.File, err error) {
	err = f.around(callCreate, func() (err error) { file, err = f.FS.Create(name); return err })
	if err != nil {
		return nil, err
	}
	return watchedFile{file, &f.watcher}, nil
}

func (f *watchedFS) CreateLog(name string) (log vfs.Log, err error) {
	err = f.around(callCreate, func() (err error) { log, err = f.FS.CreateLog(name); return err })
	if err != nil {
		return nil, err
	}
	return watchedLog{log, &f.watcher}, nil
}

func (f *watchedFS) Remove(name string) error {
	return f.around(callRemove, func() error { return f.FS.Remove(name) })
}

func (f *watchedFS) Rename(oldname, newname string) error {
	return f.around(callRename, func() error { return f.FS.Rename(oldname, newname) })
}

func (f *watchedFS) SyncDir(dir string) error {
	return f.around(callSyncDir, func() error { return f.FS.SyncDir(dir) })
}

type watchedFile struct {
	vfs.File
	*watcher
}

func (f watchedFile) Write(p []byte) (n int, err error) {
	err = f.around(callWrite, func() (err error) { n, err = f.File.Write(p); return err })
	return n, err
}

func (f watchedFile) Sync() error { return f.around(callSync, f.File.Sync) }

type watchedLog struct {
	vfs.Log
	*watcher
}

func (l watchedLog) WriteAt(p []byte, off int64) (n int, err error) {
	err = l.around(callWrite, func() (err error) { n, err = l.Log.WriteAt(p, off); return err })
	return n, err
}

func (l watchedLog) WriteMapped(p []byte, off int64) error {
	return l.around(callMapped, func() error { return l.Log.WriteMapped(p, off) })
}

func (l watchedLog) Extend(size int64) error {
	return l.around(callExtend, func() error { return l.Log.Extend(size) })
}

func (l watchedLog) Datasync() error { return l.around(callSync, l.Log.Datasync) }
