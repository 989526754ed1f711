package tinykv_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
)

// raw is tiny without compression: what is decompressed does not fault when it is read.
var raw = tinykv.Options{MemTableSize: 64 << 10, TableSize: 32 << 10, BlockSize: 256, Compression: tinykv.CompressionNone}

// tableOf returns the file that a key is read from.
func tableOf(t *testing.T, db *tinykv.DB, dir string, k []byte) string {
	t.Helper()
	e, err := db.Explain(k)
	must(t, err)
	return filepath.Join(dir, fmt.Sprintf("%06d.sst", e.Places[len(e.Places)-1].Table))
}

// cutStore returns an open store that has been read, one of whose tables was cut to a page since, with
// the name of that file.
func cutStore(t *testing.T, n int, options *tinykv.Options) (db *tinykv.DB, cut string) {
	t.Helper()
	dir := t.TempDir()
	db = mustOpen(t, dir, options)
	t.Cleanup(func() { must(t, db.Close()) })
	for i := range n {
		must(t, db.Put(fruit(i), append(fruit(i), make([]byte, 1000)...)))
	}
	must(t, db.Compact(context.Background(), tinykv.All()))
	if all, err := enginetest.Collect(db.Scan(tinykv.All())); err != nil || len(all) != n {
		t.Fatal(len(all), err)
	}
	cut = tableOf(t, db, dir, fruit(n/2))
	must(t, os.Truncate(cut, 4096))
	return db, cut
}

// A table is cut under a running store: every way of reading says so for the keys that are gone, the
// others stay readable, and the process lives.
func TestFault_ATableThatIsCutIsAnErrorWhereItIsRead(t *testing.T) {
	const n = 200
	db, cut := cutStore(t, n, &raw)
	reads := map[string]func(k []byte) (string, error){
		"Get": func(k []byte) (string, error) {
			v, err := db.Get(k)
			return string(v), err
		},
		"GetTo": func(k []byte) (string, error) {
			v, err := db.GetTo([]byte("x"), k)
			return string(v[1:]), err
		},
		"Peek": func(k []byte) (got string, err error) {
			err = db.Peek(k, func(v []byte) error { got = string(v); return nil })
			return got, err
		},
		"GetMulti": func(k []byte) (string, error) {
			v, err := db.GetMulti(k)
			if err != nil {
				return "", err
			}
			return string(v[0]), nil
		},
		"Scan": func(k []byte) (string, error) {
			e, err := enginetest.Collect(db.Scan(tinykv.Between(k, append(k, 0))))
			if err != nil || len(e) != 1 {
				return "", err
			}
			return e[0].Value, nil
		},
		"Iterator": func(k []byte) (string, error) {
			it, err := db.NewIter(tinykv.All())
			must(t, err)
			defer it.Close()
			if !it.SeekGE(k) {
				return "", it.Err()
			}
			return string(it.Value()), nil
		},
		"Has": func(k []byte) (string, error) {
			_, err := db.Has(k)
			return string(k) + strings.Repeat("\x00", 1000), err
		},
		"Explain": func(k []byte) (string, error) {
			_, err := db.Explain(k)
			return string(k) + strings.Repeat("\x00", 1000), err
		},
	}
	for name, read := range reads {
		good, bad := 0, 0
		for i := range n {
			v, err := read(fruit(i))
			switch want := string(fruit(i)) + strings.Repeat("\x00", 1000); {
			case err == nil && v == want:
				good++
			case err == nil:
				t.Errorf("%s of %s: %.40q", name, fruit(i), v)
			default:
				bad++
				isOfFile(t, name, err, cut)
			}
		}
		if bad < 10 || good < n/2 {
			t.Errorf("%s: %d keys are readable, %d are not", name, good, bad)
		}
	}
}

func isOfFile(t *testing.T, what string, err error, file string) {
	t.Helper()
	if !errors.Is(err, tinykv.ErrCorrupt) || !strings.Contains(err.Error(), file) {
		t.Errorf("%s: %v, want ErrCorrupt that names %s", what, err, file)
	}
}

// What reads all of the table ends with the error.
func TestFault_ATableThatIsCutEndsScansAndCompactions(t *testing.T) {
	db, cut := cutStore(t, 200, &raw)
	ctx := context.Background()
	_, err := db.Count(ctx, tinykv.All())
	isOfFile(t, "Count", err, cut)
	got, err := enginetest.Collect(db.Scan(tinykv.All()))
	isOfFile(t, "Scan", err, cut)
	if len(got) == 0 {
		t.Error("Scan: nothing before the damage")
	}
	got, err = enginetest.Collect(db.Scan(tinykv.All(), tinykv.Reverse))
	isOfFile(t, "Scan back", err, cut)
	if len(got) == 0 {
		t.Error("Scan back: nothing before the damage")
	}
	must(t, db.Put(fruit(0), nil))
	must(t, db.Put(fruit(199), nil))
	isOfFile(t, "Compact", db.Compact(ctx, tinykv.All()), cut)
	_, err = db.PutIfAbsent(fruit(100), nil)
	isOfFile(t, "PutIfAbsent", err, cut)
	must(t, db.Put(fruit(100), nil))
}

func TestFault_OneUnderTheCallbackOfPeekIsAnError(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, &raw)
	defer db.Close()
	must(t, db.Put([]byte("k"), make([]byte, 100_000)))
	must(t, db.Compact(context.Background(), tinykv.All()))
	file := tableOf(t, db, dir, []byte("k"))
	err := db.Peek([]byte("k"), func(v []byte) error {
		must(t, os.Truncate(file, 4096))
		t.Error(v[len(v)-1], "was read")
		return nil
	})
	isOfFile(t, "Peek", err, file)
}
