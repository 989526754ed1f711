package manifest

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/vfs"
	"github.com/tinykv/tinykv/vfs/simfs"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

const (
	dir       = "/db"
	testStore = 0x00c0ffee00c0ffee
)

// table makes what the manifest knows of a table, from a text such as 7[fig#12,SET-kiwi#13,DEL]. Its
// sequence numbers reach from the smaller to the larger of the two; its size is 100 times its number.
func table(t *testing.T, text string) *Table {
	t.Helper()
	num, bounds, ok := strings.Cut(strings.TrimSuffix(text, "]"), "[")
	smallest, largest, ok2 := strings.Cut(bounds, "-")
	if !ok || !ok2 {
		t.Fatalf("table %q: want number[smallest-largest]", text)
	}
	a, _, err := key.ParseInternal(smallest)
	must(t, err)
	b, _, err := key.ParseInternal(largest)
	must(t, err)
	out := &Table{Smallest: a, Largest: b, Entries: 2, DataBytes: 10}
	_, err = fmt.Sscan(num, &out.Num)
	must(t, err)
	out.ID, out.Size = uint64(out.Num)*0x1111, int64(out.Num)*100
	out.SmallestSeq, out.LargestSeq = min(a.Trailer.Seq(), b.Trailer.Seq()), max(a.Trailer.Seq(), b.Trailer.Seq())
	return out
}

// edit makes an edit of changes separated by spaces:
//
//	+L1:7[fig#12,SET-kiwi#13,DEL]   adds a table
//	-L1:7                           deletes one
func edit(t *testing.T, text string) *Edit {
	t.Helper()
	e := &Edit{}
	for _, word := range strings.Fields(text) {
		level := Level(word[2] - '0')
		switch word[0] {
		case '+':
			e.Added = append(e.Added, AddedTable{level, table(t, word[4:])})
		case '-':
			d := DeletedTable{Level: level}
			_, err := fmt.Sscan(word[4:], &d.Num)
			must(t, err)
			e.Deleted = append(e.Deleted, d)
		default:
			t.Fatalf("change %q", word)
		}
	}
	return e
}

// version makes a version that holds the tables an edit adds.
func version(t *testing.T, text string) *Version {
	t.Helper()
	v, err := (&Version{}).Apply(edit(t, text))
	must(t, err)
	return v
}

// lines is what String says of a version, on one line.
func lines(v *Version) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(v.String(), "\n", " ")), " ")
}

// describe says all of a state.
func describe(s State) string {
	return fmt.Sprintf("store %x next %d last %d log %+v %s", s.Store, s.NextFile, s.LastSeq, s.Log, lines(s.Version))
}

// empty is the state of a new store.
func empty() State {
	return State{Store: testStore, NextFile: 2, Log: LogState{First: 1}, Version: &Version{}}
}

// store is a manifest under test.
type store struct {
	t   *testing.T
	sim *simfs.FS
	m   *Manifest

	states []string // that were or may be in force, in order
	acked  int      // of these, the place of the last that is known to be durable
}

func newStore(t *testing.T) *store {
	t.Helper()
	s := &store{t: t, sim: simfs.New(), acked: -1}
	must(t, s.sim.MkdirAll(dir))
	return s
}

func options(fs vfs.FS) Options { return Options{FS: fs, Dir: dir, CacheID: fs.CacheID(dir)} }

// begin puts the first manifest in force.
func (s *store) begin(num FileNum, state State) error {
	s.states = append(s.states, describe(state))
	m, err := New(options(s.sim), num, 0x77, state)
	if err != nil {
		return err
	}
	s.m = m
	if err := m.Switch(); err != nil {
		return err
	}
	s.acked = len(s.states) - 1
	return nil
}

// append makes an edit.
func (s *store) append(e *Edit) error {
	next, err := s.m.State().Apply(e)
	must(s.t, err)
	s.states = append(s.states, describe(next))
	if err := s.m.Append(e); err != nil {
		return err
	}
	s.acked = len(s.states) - 1
	return nil
}

// renew replaces the manifest by a new one with the same state, as a store does when it has grown.
func (s *store) renew(num FileNum) error {
	fresh, err := New(options(s.sim), num, 0x78, s.m.State())
	if err != nil {
		return err
	}
	if err := fresh.Switch(); err != nil {
		return err
	}
	old := s.m
	s.m = fresh
	return errors.Join(old.Close(), s.sim.Remove(filepath.Join(dir, Name(FileManifest, old.Num()))))
}

// check wants what a file system holds to be one of the states, at or behind the acknowledged one.
func (s *store) check(fs *simfs.FS) error {
	loaded, err := Load(options(fs))
	if err != nil {
		return err
	}
	if loaded == nil {
		if s.acked < 0 {
			return nil
		}
		return errors.New("there is no store")
	}
	at := slices.Index(s.states, describe(loaded.State))
	if at < s.acked || at < 0 {
		return fmt.Errorf("state %d is loaded, %d was acknowledged: %s", at, s.acked, describe(loaded.State))
	}
	return nil
}

// load describes what a file system holds.
func load(fs vfs.FS) string {
	loaded, err := Load(options(fs))
	switch {
	case errors.Is(err, corrupt.ErrCorrupt):
		return "corrupt: " + err.Error()
	case errors.Is(err, corrupt.ErrTooNew):
		return "too new: " + err.Error()
	case err != nil:
		return "error: " + err.Error()
	case loaded == nil:
		return "no store"
	}
	return describe(loaded.State)
}

// change replaces the contents of a file.
func change(t *testing.T, fs vfs.FS, name string, to func(data []byte) []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	m, err := fs.Map(path)
	must(t, err)
	data := slices.Clone(m.Bytes())
	must(t, m.Close())
	must(t, fs.Remove(path))
	f, err := fs.Create(path)
	must(t, err)
	_, err = f.Write(to(data))
	must(t, err)
	must(t, errors.Join(f.Sync(), f.Close(), fs.SyncDir(dir)))
}

func contents(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	m, err := fs.Map(filepath.Join(dir, name))
	must(t, err)
	defer func() { _ = m.Close() }()
	return slices.Clone(m.Bytes())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("\ngot  %v\nwant %v", got, want)
	}
}

// begins wants a text to begin with another and to contain a third.
func begins(t *testing.T, got, prefix, part string) {
	t.Helper()
	if !strings.HasPrefix(got, prefix) || !strings.Contains(got, part) {
		t.Errorf("\ngot  %s\nwant %s...%s...", got, prefix, part)
	}
}

// golden compares a text with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		must(t, os.WriteFile(path, []byte(got), 0o666))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if want := strings.ReplaceAll(string(want), "\r\n", "\n"); got != want {
		t.Errorf("%s: got\n%swant\n%s", path, got, want)
	}
}
