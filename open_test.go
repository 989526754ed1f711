package tinykv_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// mustOpen opens a store and closes it at the end of the test.
func mustOpen(t testing.TB, dir string, options *tinykv.Options) *tinykv.DB {
	t.Helper()
	db, err := tinykv.Open(dir, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t testing.TB, err, want error, words ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

// names returns the names in a directory of the operating system, sorted.
func names(t testing.TB, dir string) []string {
	t.Helper()
	names, err := vfs.OS().List(dir)
	must(t, err)
	slices.Sort(names)
	return names
}

func TestOpen_NilOptionsAreTheDefaults(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	db := mustOpen(t, dir, nil)
	must(t, db.Put([]byte("k"), []byte("v")))
	must(t, db.Close())
	db = mustOpen(t, dir, &tinykv.Options{})
	if v, err := db.Get([]byte("k")); string(v) != "v" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}

func TestOpen_FilesAndDirectoryArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	db := mustOpen(t, dir, nil)
	must(t, db.Put([]byte("k"), []byte("v")))
	must(t, db.Close())
	info, err := os.Stat(dir)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("directory has mode %v", info.Mode())
	}
	for _, name := range names(t, dir) {
		info, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}

func TestOpen_OptionsOutOfRangeAreRefusedByName(t *testing.T) {
	for field, o := range map[string]tinykv.Options{
		"Durability":      {Durability: 7},
		"SyncInterval":    {SyncInterval: time.Microsecond},
		"ErrorIfExists":   {ErrorIfExists: true, ErrorIfMissing: true},
		"LockTimeout":     {LockTimeout: -1},
		"MemTableSize":    {MemTableSize: 1 << 10},
		"Compression":     {Compression: 4},
		"CacheSize":       {CacheSize: 1},
		"TableSize":       {TableSize: 2 << 30},
		"BlockSize":       {BlockSize: -1},
		"MaxBackground":   {MaxBackground: 65},
		"CompactionRate":  {CompactionRate: -1},
		"BloomBitsPerKey": {BloomBitsPerKey: 65},
		"Mapping":         {Mapping: 2},
	} {
		dir := filepath.Join(t.TempDir(), "store")
		_, err := tinykv.Open(dir, &o)
		wantError(t, err, tinykv.ErrInvalidOption, field)
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: the directory was made", field)
		}
	}
}

func TestOpen_DoesNotChangeTheCallersOptions(t *testing.T) {
	o := tinykv.Options{}
	db := mustOpen(t, t.TempDir(), &o)
	defer db.Close()
	if o.MemTableSize != 0 || o.FS != nil || o.Logger != nil {
		t.Errorf("%+v", o)
	}
}

func TestOpen_SecondOpenerIsRefusedAtOnce(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, nil)
	_, err := tinykv.Open(dir, nil)
	wantError(t, err, tinykv.ErrLocked, fmt.Sprint(os.Getpid()), dir)
	must(t, db.Put([]byte("k"), nil)) // the first is not disturbed
	must(t, db.Close())
	mustOpen(t, dir, nil)
}

func TestOpen_AnotherProcessIsNamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	v := &victim{T: t}
	pid := 0
	v.whileRunning = func(cmd *exec.Cmd) {
		if pid != 0 {
			return
		}
		pid = cmd.Process.Pid
		_, err := tinykv.Open(dir, nil)
		wantError(t, err, tinykv.ErrLocked, fmt.Sprint(pid))
	}
	v.runUntil(dir, "commit", 0, 5)
	if pid == 0 {
		t.Error("the child did nothing")
	}
	mustOpen(t, dir, nil) // the lock died with its holder
}

func TestOpen_LockTimeoutWaitsForTheOtherToClose(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, nil)
	go db.Close()
	second, err := tinykv.Open(dir, &tinykv.Options{LockTimeout: time.Minute})
	must(t, err)
	must(t, second.Close())
}

func TestOpen_ForeignDirectoryIsRefusedAndUntouched(t *testing.T) {
	for _, name := range []string{"README", "000001.sstx", "MANIFEST-1", "lost+found", "current"} {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o644))
		before := names(t, dir)
		_, err := tinykv.Open(dir, nil)
		wantError(t, err, tinykv.ErrExists, name)
		if after := names(t, dir); !slices.Equal(before, after) {
			t.Errorf("%v became %v", before, after)
		}
	}
}

// Beside a store that exists, files that are none of it are left alone.
func TestOpen_ForeignFilesInAStoreStay(t *testing.T) {
	dir := t.TempDir()
	must(t, mustOpen(t, dir, nil).Close())
	must(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("mine"), 0o644))
	must(t, mustOpen(t, dir, nil).Close())
	if text, err := os.ReadFile(filepath.Join(dir, "notes.txt")); string(text) != "mine" {
		t.Error(err)
	}
}

func TestOpen_FileInPlaceOfTheDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	must(t, os.WriteFile(path, []byte("mine"), 0o644))
	_, err := tinykv.Open(path, nil)
	wantError(t, err, tinykv.ErrExists, path, "directory")
	_, err = tinykv.Open(filepath.Join(path, "below"), nil)
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
}

func TestOpen_ErrorIfExistsAndErrorIfMissing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	_, err := tinykv.Open(dir, &tinykv.Options{ErrorIfMissing: true})
	wantError(t, err, tinykv.ErrMissing)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the directory was made")
	}
	must(t, mustOpen(t, dir, &tinykv.Options{ErrorIfExists: true}).Close())
	_, err = tinykv.Open(dir, &tinykv.Options{ErrorIfExists: true})
	wantError(t, err, tinykv.ErrExists)
	must(t, mustOpen(t, dir, &tinykv.Options{ErrorIfMissing: true}).Close())
}

func TestOpen_DirectoryThatCannotBeWritten(t *testing.T) {
	fsys := simfs.New()
	must(t, mustOpen(t, "/store", &tinykv.Options{FS: fsys}).Close())
	fsys.SetAccess(simfs.ReadOnly)
	_, err := tinykv.Open("/store", &tinykv.Options{FS: fsys})
	wantError(t, err, fs.ErrPermission, "/store", "Options.ReadOnly")
	fsys.SetAccess(simfs.Denied)
	_, err = tinykv.Open("/store", &tinykv.Options{FS: fsys})
	wantError(t, err, fs.ErrPermission, "/store")
	fsys.SetAccess(simfs.ReadWrite)
	must(t, mustOpen(t, "/store", &tinykv.Options{FS: fsys}).Close())
}

func TestOpen_NewerFormatIsRefusedAndUntouched(t *testing.T) {
	dir := t.TempDir()
	must(t, mustOpen(t, dir, nil).Close())
	path := filepath.Join(dir, "CURRENT")
	text, err := os.ReadFile(path)
	must(t, err)
	body, _, _ := strings.Cut(string(text), "checksum ")
	body = strings.Replace(body, "tinykv 1\n", "tinykv 2\n", 1)
	must(t, os.WriteFile(path, fmt.Appendf(nil, "%schecksum %016x\n", body, xxhash.Sum64String(body)), 0o600))
	before := names(t, dir)
	_, err = tinykv.Open(dir, nil)
	wantError(t, err, tinykv.ErrFormatTooNew, path)
	if after := names(t, dir); !slices.Equal(before, after) {
		t.Errorf("%v became %v", before, after)
	}
}

// A store that was closed in order holds no more files than it needs.
func TestClose_LeavesNoLogBehind(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		db := mustOpen(t, dir, &tiny)
		for n := range 3000 {
			must(t, db.Put(fmt.Append(nil, n), make([]byte, 100)))
		}
		must(t, db.Close())
	}
	for _, name := range names(t, dir) {
		if name != "CURRENT" && name != "LOCK" && !strings.HasSuffix(name, ".sst") && !strings.HasPrefix(name, "MANIFEST-") {
			t.Errorf("%s is left over", name)
		}
	}
	if n := len(slices.DeleteFunc(names(t, dir), func(s string) bool { return !strings.HasPrefix(s, "MANIFEST-") })); n != 1 {
		t.Errorf("%d manifests", n)
	}
}

func TestClose_Twice(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	must(t, db.Close())
	must(t, db.Close())
}
