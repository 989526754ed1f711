//go:build ignore

// Command make wrote the stores beside it, once for each version of the format:
//
//	go run ./testdata/stores/make.go 1
//
// A store that a released version wrote stays readable for ever, so these files are never made again. What must be in all
// stores of a version stands in a text beside them, made without reading a store.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tinykv/tinykv"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go run ./testdata/stores/make.go VERSION")
	}
	for name, how := range map[string]how{
		"closed":     {compression: tinykv.CompressionNone, closed: true},
		"compressed": {compression: tinykv.CompressionS2, closed: true},
		"zstd":       {compression: tinykv.CompressionZstd, closed: true},
		"killed":     {compression: tinykv.CompressionDefault},
	} {
		dir := filepath.Join("testdata", "stores", "v"+os.Args[1]+"-"+name)
		if err := write(dir, how); err != nil {
			log.Fatalf("%s: %v", dir, err)
		}
	}
}

// how says what a store is to be like.
type how struct {
	compression tinykv.Compression
	closed      bool // in order; otherwise the files are as the death of the process leaves them
}

// model is what a store must hold.
type model map[string]string

func write(dir string, h how) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("it is there already: %w", err)
	}
	db, err := tinykv.Open(dir, &tinykv.Options{
		MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 1 << 10, Compression: h.compression,
	})
	if err != nil {
		return err
	}
	m := model{}
	if err := fill(db, m); err != nil {
		return err
	}
	text, _, _ := strings.Cut(dir, "-")
	if err := os.WriteFile(text+".txt", m.text(), 0o644); err != nil {
		return err
	}
	if h.closed {
		return db.Close()
	}
	return keepAsKilled(db, dir)
}

// fill writes what the format has: values, empty keys and values, deletions, range deletions, a batch larger than a memtable, tables
// of several levels, and records that are in the log alone.
func fill(db *tinykv.DB, m model) error {
	put := func(b *tinykv.Batch, k, v string) error {
		m[k] = v
		return b.Put([]byte(k), []byte(v))
	}
	b := db.NewBatch()
	var errs []error
	for i := range 400 {
		errs = append(errs, put(b, fmt.Sprintf("deep/%04d", i), strings.Repeat(fmt.Sprint(i), 20)))
	}
	errs = append(errs, db.Apply(b), db.Compact(context.Background(), tinykv.All()))
	b.Reset()
	for i := 0; i < 400; i += 3 {
		k := fmt.Sprintf("deep/%04d", i)
		delete(m, k)
		errs = append(errs, b.Delete([]byte(k)))
	}
	errs = append(errs, put(b, "", "of the empty key"), put(b, "empty", ""), put(b, "\xff\xff\x00", "binary \x00\xff"))
	for i := 100; i < 150; i++ {
		delete(m, fmt.Sprintf("deep/%04d", i))
	}
	errs = append(errs, b.DeleteRange([]byte("deep/0100"), []byte("deep/0150")), db.Apply(b), db.Flush(context.Background()))
	b.Reset()
	for i := range 60 {
		errs = append(errs, put(b, fmt.Sprintf("large/%02d", i), strings.Repeat(string(rune('a'+i%26)), 1000+i)))
	}
	errs = append(errs, db.Apply(b)) // goes to a table of its own
	b.Reset()
	for i := range 20 {
		errs = append(errs, put(b, fmt.Sprintf("log/%02d", i), fmt.Sprint("record ", i)))
		errs = append(errs, db.Apply(b, tinykv.Sync))
		b.Reset()
	}
	delete(m, "log/07")
	errs = append(errs, db.Delete([]byte("log/07")), db.Sync())
	m["log/last"] = "vouches for the rest"
	errs = append(errs, db.Put([]byte("log/last"), []byte("vouches for the rest"), tinykv.Sync))
	return errors.Join(errs...)
}

// keepAsKilled leaves the files of an open store in its place, without those that its Close writes.
func keepAsKilled(db *tinykv.DB, dir string) error {
	kept := dir + ".open"
	if err := os.CopyFS(kept, os.DirFS(dir)); err != nil {
		return err
	}
	return errors.Join(db.Close(), os.RemoveAll(dir), os.Rename(kept, dir))
}

// text returns a line for each key, in order.
func (m model) text() []byte {
	var b bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "%q %q\n", k, m[k])
	}
	return b.Bytes()
}
