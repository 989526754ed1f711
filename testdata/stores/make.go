//go:build ignore

// Command make wrote the stores beside it, once for each version of the format:
//
//	go run ./testdata/stores/make.go 1
//	go run ./testdata/stores/make.go 1f     # with what came later within version 1
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
	"runtime"
	"slices"
	"strings"
	"time"

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
		MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 1 << 10, Compression: h.compression, MergeOperator: mergeOperator(dir),
	})
	if err != nil {
		return err
	}
	m, fill := model{}, fill
	if strings.Contains(dir, "f-") {
		fill = fillFeatures
	}
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

// mergeOperator is that of the stores with features: the others have none.
func mergeOperator(dir string) tinykv.MergeOperator {
	if strings.Contains(dir, "f-") {
		return tinykv.MergeAddInt64
	}
	return nil
}

// fillFeatures writes what was added to the format within version 1: values that expire, merge operands, buckets, made and dropped, and a
// transaction larger than a memtable; in tables and in the log.
func fillFeatures(db *tinykv.DB, m model) error {
	far, past := tinykv.ExpireAt(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)), tinykv.ExpireAt(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC))
	var errs []error
	add := func(err error) { errs = append(errs, err) }
	for round := range 3 { // the last one stays in the log
		for i := range 40 {
			k := fmt.Sprintf("count/%02d", i)
			m[k] = string(tinykv.EncodeInt64(int64((round + 1) * (i + 1))))
			add(db.Merge([]byte(k), tinykv.EncodeInt64(int64(i+1))))
			k = fmt.Sprintf("lives/%d/%02d", round, i)
			m[k] = fmt.Sprint("until 2200: ", i)
			add(db.Put([]byte(k), []byte(m[k]), far))
			add(db.Put(fmt.Appendf(nil, "gone/%d/%02d", round, i), []byte("since 2001"), past))
			for _, name := range []string{"fruits", "\x00\xff"} {
				k := fmt.Sprintf("%d/%02d", round, i)
				m[inBucket(name, k)] = name
				add(db.Bucket(name).Put([]byte(k), []byte(name)))
			}
			add(db.Bucket("dropped").Put(fmt.Appendf(nil, "%d", i), nil))
		}
		add(db.DropBucket(context.Background(), "dropped"))
		add(db.Update(func(tx *tinykv.Tx) error {
			for i := range 60 {
				k := fmt.Sprintf("tx/%d/%02d", round, i)
				m[k] = strings.Repeat(fmt.Sprint(round), 1200)
				if err := tx.Put([]byte(k), []byte(m[k])); err != nil {
					return err
				}
			}
			m[inBucket("fruits", "of a transaction")] = fmt.Sprint(round)
			return tx.Bucket("fruits").Put([]byte("of a transaction"), fmt.Append(nil, round))
		}))
		if round == 0 {
			add(db.Compact(context.Background(), tinykv.All()))
		}
		if round == 1 {
			add(db.Flush(context.Background()))
		}
	}
	for i := range 40 {
		k := fmt.Sprintf("count/%02d", i)
		m[k] = string(tinykv.EncodeInt64(int64(3*(i+1) - 1)))
		add(db.Merge([]byte(k), tinykv.EncodeInt64(-1)))
	}
	m["log/last"] = "vouches for the rest"
	add(db.Put([]byte("log/last"), []byte("vouches for the rest"), tinykv.Sync))
	return errors.Join(errs...)
}

// inBucket is how the text names a key of a bucket.
func inBucket(name, k string) string { return fmt.Sprintf("bucket %q %q", name, k) }

// keepAsKilled leaves the files of an open store in its place, without those that its Close writes.
func keepAsKilled(db *tinykv.DB, dir string) error {
	for m := db.Metrics(); m.GarbageBytes > 0 || m.RunningCompactions > 0; m = db.Metrics() {
		runtime.Gosched() // until no file goes while they are copied
	}
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
		if strings.HasPrefix(k, "bucket ") {
			fmt.Fprintf(&b, "%s %q\n", k, m[k])
			continue
		}
		fmt.Fprintf(&b, "%q %q\n", k, m[k])
	}
	return b.Bytes()
}
