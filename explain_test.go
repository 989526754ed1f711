package tinykv_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/enginetest"
)

// layered returns a store with overwritten and deleted keys in a memtable and in several levels.
func layered(t *testing.T, options tinykv.Options) (*tinykv.DB, enginetest.Random) {
	t.Helper()
	db := mustOpen(t, t.TempDir(), &options)
	t.Cleanup(func() { must(t, db.Close()) })
	r := enginetest.NewRandom(*firstSeed)
	for n := range 8000 {
		if r.OneIn(4) {
			must(t, db.Delete(fruit(r.IntN(3000))))
		} else {
			must(t, db.Put(fruit(r.IntN(3000)), r.Value()))
		}
		if n%1500 == 1499 {
			must(t, db.Flush(context.Background()))
		}
		if n == 4000 {
			must(t, db.Compact(context.Background(), tinykv.All()))
		}
	}
	return db, r
}

func TestExplain_EndsWhereGetDoes(t *testing.T) {
	options := tiny
	options.BloomBitsPerKey = 1 // so that filters err often
	db, r := layered(t, options)
	seen := map[string]int{}
	for range 5000 {
		k := fruit(r.IntN(4000))
		if r.OneIn(3) {
			k = append(k, 'x')
		}
		e, err := db.Explain(k)
		must(t, err)
		v, err := db.Get(k)
		if e.Found != (err == nil) || e.ValueBytes != len(v) || string(e.Key) != string(k) {
			t.Fatalf("Get: %d bytes, %v\n%v", len(v), err, e)
		}
		for i, p := range e.Places {
			if p.Hit && (i != len(e.Places)-1 || e.Kind == "" || p.FalsePositive || p.Filter == "no") {
				t.Errorf("place %d is said to decide:\n%v", i, e)
			}
			if p.FalsePositive {
				seen["false positive"]++
			}
			seen[p.Kind]++
			seen["filter "+p.Filter]++
		}
		if n := len(e.Places); e.Kind != "" && !e.Places[n-1].Hit {
			t.Errorf("nothing decided:\n%v", e)
		}
		seen[e.Kind]++
	}
	for _, what := range []string{"memtable", "table", "false positive", "filter no", "filter maybe", "SET", "DEL", ""} {
		if seen[what] == 0 {
			t.Errorf("never seen: %q in %v", what, seen)
		}
	}
}

// Looking into a block says that it was verified from then on.
func TestExplain_ReadsLikeThis(t *testing.T) {
	db := mustOpen(t, t.TempDir(), (&tinykv.Options{}).With(tinykv.Internal{Inline: always}))
	defer db.Close()
	ctx := context.Background()
	put := func(k, v string) { must(t, db.Put([]byte(k), []byte(v))) }
	put("apple", "red")
	put("fig", "ripe")
	must(t, db.Compact(ctx, tinykv.All()))
	put("plum", "blue")
	must(t, db.Flush(ctx))
	must(t, db.Delete([]byte("kiwi")))
	var text strings.Builder
	for _, k := range []string{"fig", "fig", "kiwi", "lime"} {
		e, err := db.Explain([]byte(k))
		must(t, err)
		text.WriteString(e.String())
	}
	const want = `key "fig", as of #4
  memtable               nothing
  L0 table 000007        out of bounds
  L6 table 000005        filter: maybe, 58 B at 0 (new): found
found #2,SET with a value of 4 bytes; touched about 378 B of tables
key "fig", as of #4
  memtable               nothing
  L0 table 000007        out of bounds
  L6 table 000005        filter: maybe, 58 B at 0: found
found #2,SET with a value of 4 bytes; touched about 350 B of tables
key "kiwi", as of #4
  memtable               found
absent: deleted by #4,DEL
key "lime", as of #4
  memtable               nothing
  L0 table 000007        out of bounds
  L6                     no table covers the key
absent: no entry
`
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &text, want)
	}
}

func TestExplain_FitsTheScreenAndIsJSON(t *testing.T) {
	db, r := layered(t, tiny)
	for range 200 {
		k := fruit(r.IntN(3000))
		if r.OneIn(2) {
			k = []byte(strings.Repeat("\xff\n", r.IntN(40)))
		}
		e, err := db.Explain(k)
		must(t, err)
		for line := range strings.Lines(e.String()) {
			if len(line) > 81 {
				t.Errorf("%d columns: %s", len(line)-1, line)
			}
		}
		data, err := json.Marshal(e)
		must(t, err)
		var back tinykv.Explanation
		must(t, json.Unmarshal(data, &back))
		if back.String() != e.String() {
			t.Errorf("by way of JSON: %v, want %v", &back, e)
		}
	}
}

func TestExplain_TellsHowFarItCameBeforeDamage(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, &tiny)
	must(t, db.Put([]byte("fig"), []byte("ripe")))
	must(t, db.Close())
	damageTables(t, dir)
	db = mustOpen(t, dir, &tiny)
	defer db.Close()
	e, err := db.Explain([]byte("fig"))
	if !errors.Is(err, tinykv.ErrCorrupt) || e == nil || len(e.Places) != 2 {
		t.Errorf("%v, %v", err, e)
	}
}

// damageTables changes a byte in the first block of every table.
func damageTables(t *testing.T, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	must(t, err)
	if len(names) == 0 {
		t.Fatal("no tables")
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		must(t, err)
		data[30] ^= 1
		must(t, os.WriteFile(name, data, 0o600))
	}
}
