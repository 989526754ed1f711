package fuzz

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/vfs"
)

// edits are a few steps in the life of a store.
func edits() []*manifest.Edit {
	table := func(num manifest.FileNum, from, to string, seq key.SeqNum) *manifest.Table {
		return &manifest.Table{
			Num: num, ID: uint64(num) * 0x9e3779b97f4a7c15, Size: 4096,
			Smallest:    key.Internal{Stored: key.AppendStored(nil, 0, []byte(from)), Trailer: key.MakeTrailer(seq+1, key.KindSet)},
			Largest:     key.Internal{Stored: key.AppendStored(nil, 0, []byte(to)), Trailer: key.MakeTrailer(seq, key.KindDelete)},
			SmallestSeq: seq, LargestSeq: seq + 1, Entries: 2, Deletes: 1, DataBytes: 20,
		}
	}
	return []*manifest.Edit{
		{NextFile: 4, LastSeq: 11, Log: &manifest.LogState{First: 2, Exists: true}, Added: []manifest.AddedTable{{Level: 0, Table: table(3, "a", "m", 10)}}},
		{NextFile: 5, LastSeq: 21, Added: []manifest.AddedTable{{Level: 0, Table: table(4, "c", "z", 20)}}},
		{Added: []manifest.AddedTable{{Level: 0, Table: expiring(table(8, "e", "f", 30))}}, MergeOperator: "sum"},
		{Expiry: &manifest.ExpiryState{Reading: 1 << 60, Marks: []manifest.ExpiryMark{{Until: 1 << 61, Seq: 9}, {Until: 1<<60 + 1, Seq: 20}}}},
		{NewSpaces: []manifest.NamedSpace{{ID: 1, Name: "fruit"}, {ID: 2, Name: "\xff"}}},
		{NewSpaces: []manifest.NamedSpace{{ID: 300, Name: "roots"}}, DroppedSpaces: []key.Space{2, 300}},
		{
			NextFile: 7, Deleted: []manifest.DeletedTable{{Level: 0, Num: 3}, {Level: 0, Num: 4}},
			Added: []manifest.AddedTable{{Level: 6, Table: table(5, "a", "c", 10)}, {Level: 6, Table: table(6, "d", "z", 20)}},
		},
	}
}

func expiring(t *manifest.Table) *manifest.Table {
	t.Expiring, t.LeastExpiry, t.GreatestExpiry = 1, 1<<59, 1<<60
	return t
}

func FuzzEdit(f *testing.F) {
	for _, e := range edits() {
		f.Add(e.Encode())
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, record []byte) {
		wellBehaved(t, len(record), func() error {
			e, err := manifest.DecodeEdit(record)
			if err != nil {
				return err
			}
			again, err := manifest.DecodeEdit(e.Encode())
			if err == nil && !reflect.DeepEqual(again, e) {
				t.Errorf("%+v became %+v", e, again)
			}
			if s, err := (manifest.State{Version: &manifest.Version{}}).Apply(e); err == nil {
				for _, named := range s.Spaces.All() {
					if id, ok := s.Spaces.Find(named.Name); !ok || id != named.ID || id > s.Spaces.Last() {
						t.Errorf("keyspace %v is found as %d, of %d", named, id, s.Spaces.Last())
					}
				}
			}
			if v, err := (&manifest.Version{}).Apply(e); err == nil {
				if err := v.Check(); err != nil {
					t.Errorf("an edit yields a version that breaks its invariants: %v", err)
				}
				_ = v.String()
			}
			return err
		})
	})
}

// stores returns CURRENT and manifest of a store that was left open and of one that was closed.
func stores() (all [][2][]byte) {
	for _, sealed := range []bool{false, true} {
		fsys := vfs.NewMem()
		m, err := manifest.New(manifest.Options{FS: fsys, Dir: "/", CacheID: cacheID}, 1, 0x77, manifest.State{
			Store: store, NextFile: 2, Log: manifest.LogState{First: 1}, Version: &manifest.Version{},
		})
		must(err)
		must(m.Switch())
		for _, e := range edits() {
			must(m.Append(e))
		}
		if sealed {
			must(m.Seal())
		}
		size, _ := m.Size()
		all = append(all, [2][]byte{contents(fsys, "/CURRENT"), contents(fsys, "/MANIFEST-000001")[:size+100]})
	}
	return all
}

func summary(l *manifest.Loaded) string {
	return fmt.Sprint(l.Version, l.NextFile, l.LastSeq, l.Log, l.Spaces.All(), l.Spaces.Last())
}

// load loads a store of two files, and loads once more what a new manifest of its state says.
func load(t *testing.T, current, log []byte) error {
	fsys := &files{contents: map[string][]byte{"/CURRENT": current, "/MANIFEST-000001": log}}
	loaded, err := manifest.Load(manifest.Options{FS: fsys, Dir: "/", CacheID: cacheID})
	if err != nil || loaded == nil {
		return err
	}
	again := vfs.NewMem()
	opts := manifest.Options{FS: again, Dir: "/", CacheID: cacheID}
	m, err := manifest.New(opts, 1, 1, loaded.State)
	must(err)
	must(m.Switch())
	same, err := manifest.Load(opts)
	if err != nil || summary(same) != summary(loaded) {
		t.Errorf("%+v became %+v, %v", loaded, same, err)
	}
	return nil
}

func FuzzManifest(f *testing.F) {
	for _, s := range stores() {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, current, log []byte) {
		wellBehaved(t, len(current)+len(log), func() error { return load(t, current, log) })
	})
}

// FuzzManifestSealed has an intact CURRENT, and a manifest whose checksums are right and whose header
// states no more room than there is.
func FuzzManifestSealed(f *testing.F) {
	all := stores()
	for _, s := range all {
		f.Add(s[1])
	}
	f.Fuzz(func(t *testing.T, log []byte) {
		if log = bytes.Clone(log); len(log) >= segmentHeaderLen {
			copy(log[12:16], []byte{segmentHeaderLen, 0, 0, 0})
		}
		log = sealSegment(log)
		wellBehaved(t, len(log), func() error { return load(t, all[0][0], log) })
	})
}

func FuzzCurrent(f *testing.F) {
	for _, s := range stores() {
		f.Add(s[0], true)
		f.Add(s[0], false)
	}
	f.Add([]byte("tinykv 2\nand more\n"), true)
	f.Fuzz(func(t *testing.T, text []byte, sum bool) {
		if sum {
			if i := len(text) - len("checksum 0123456789abcdef\n"); i >= 0 && string(text[i:i+9]) == "checksum " {
				text = text[:i]
			}
			text = fmt.Appendf(text[:len(text):len(text)], "checksum %016x\n", xxhash.Sum64(text))
		}
		fsys := &files{contents: map[string][]byte{"/CURRENT": text}}
		loaded, err := manifest.Load(manifest.Options{FS: fsys, Dir: "/"})
		if loaded != nil || !errors.Is(err, corrupt.ErrCorrupt) && !errors.Is(err, corrupt.ErrTooNew) {
			t.Errorf("%q: %+v, %v; there is no manifest", text, loaded, err)
		}
	})
}
