package tinykv_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// mergingOptions are those of a small store whose operator is fragile; sound is one of the same name that never fails.
func mergingOptions(op tinykv.MergeOperator) *tinykv.Options {
	return &tinykv.Options{FS: vfs.NewMem(), MergeOperator: op, MemoryBudget: 4 << 20, MemTableSize: 64 << 10}
}

type sound struct{ fragile }

func (sound) Merge(older, newer []byte) []byte { return append(older, newer...) }

// fill makes a transaction as large as it says, by values of 10,000 bytes.
func fill(t *testing.T, tx *tinykv.Tx, size string) {
	t.Helper()
	if size == "small" {
		return
	}
	for i := range 30 {
		k := fmt.Appendf(nil, "fill%d", i)
		if size == "large" {
			must(t, tx.Bucket("new").Put(k, make([]byte, 10_000))) // what makes a bucket stays in memory
			continue
		}
		must(t, tx.Put(k, make([]byte, 10_000)))
	}
}

var sizes = []string{"small", "large", "in tables"}

// Operands that the operator fails at are kept by a transaction as by a batch: in their order, upon what they follow.
func TestTx_OperatorThatFailsLosesNothing(t *testing.T) {
	for _, steps := range [][]string{{"=v", "+bomb"}, {"+a", "+bomb", "+c"}, {"=v", "+bomb", "+c"}, {"-", "+bomb", "+c"}, {"-range", "+bomb", "+c"}} {
		for _, size := range sizes {
			t.Run(fmt.Sprint(steps, size), func(t *testing.T) {
				o := mergingOptions(fragile{})
				db := mustOpen(t, "/store", o)
				must(t, db.Put([]byte("k"), []byte("0")))
				want := "0"
				tx := begin(t, db, true)
				fill(t, tx, size)
				for _, s := range steps {
					switch {
					case s[0] == '=':
						must(t, tx.Put([]byte("k"), []byte(s[1:])))
						want = s[1:]
					case s[0] == '+':
						must(t, tx.Merge([]byte("k"), []byte(s[1:])))
						want += s[1:]
					case s == "-":
						must(t, tx.Delete([]byte("k")))
						want = ""
					default:
						must(t, tx.DeleteRange([]byte("k"), nil))
						want = ""
					}
				}
				must(t, tx.Commit())
				if v, err := db.Get([]byte("k")); err == nil {
					t.Errorf("Get = %q, though the operator fails", v)
				}
				must(t, db.Close())
				o.MergeOperator = sound{}
				wantValue(t, mustOpen(t, "/store", o), "k", want)
			})
		}
	}
}

// What is too long to be put together at once when a transaction commits is committed in parts, in order.
func TestTx_LongOperandsAreCommittedInOrder(t *testing.T) {
	const long = 23 << 20 // three of them are not put together
	db := mustOpen(t, "/store", &tinykv.Options{FS: vfs.NewMem(), MergeOperator: tinykv.MergeAppend})
	must(t, db.Update(func(tx *tinykv.Tx) error {
		b := tx.Bucket("new") // so that the transaction stays in memory
		return errors.Join(b.Put([]byte("k"), bytes.Repeat([]byte("a"), long)), b.Merge([]byte("k"), bytes.Repeat([]byte("b"), long)),
			b.Merge([]byte("k"), bytes.Repeat([]byte("c"), long)))
	}))
	order := ""
	must(t, db.Bucket("new").Peek([]byte("k"), func(v []byte) error {
		for i := 0; i < len(v); i += long {
			order += fmt.Sprintf("%c%d ", v[i], min(len(v)-i, long)>>20)
		}
		return nil
	}))
	if order != "a23 b23 c23 " {
		t.Errorf("there is %s", order)
	}
}

// A merge that follows the transaction's own value that expires goes by the clock of the commit: with what has expired by then
// it begins anew.
func TestTx_MergeOverItsOwnExpiredValueIsKept(t *testing.T) {
	for _, size := range sizes {
		for _, c := range []struct {
			name       string
			option     tinykv.WriteOption
			after      time.Duration // the clock goes on before the commit
			seen, want string
		}{
			{"expired before", tinykv.ExpireAt(noon.Add(-time.Hour)), 0, "e", "e"},
			{"expires before the commit", tinykv.TTL(time.Minute), time.Hour, "ve", "e"},
			{"expires later", tinykv.TTL(2 * time.Hour), time.Hour, "ve", "ve"},
		} {
			t.Run(size+", "+c.name, func(t *testing.T) {
				clock := newClock()
				o := mergingOptions(tinykv.MergeAppend)
				o.Clock = clock.now
				db := mustOpen(t, "/store", o)
				must(t, db.Put([]byte("ttl"), nil, tinykv.TTL(year)))
				tx := begin(t, db, true)
				fill(t, tx, size)
				must(t, tx.Put([]byte("k"), []byte("v"), c.option))
				must(t, tx.Merge([]byte("k"), []byte("e")))
				clock.step(c.after)
				if got := get(t, tx, "k"); got != c.seen {
					t.Errorf("the transaction sees %q, want %q", got, c.seen)
				}
				must(t, tx.Commit())
				wantValue(t, db, "k", c.want)
				clock.step(2 * time.Hour)
				if c.want == "ve" {
					c.want = "-"
				}
				wantValue(t, db, "k", c.want)
			})
		}
	}
}

// What a transaction writes after a step back of the clock is there for it, and stays hidden or not as it was for its reader.
func TestTx_SeesItsOwnAfterAStepBackOfTheClock(t *testing.T) {
	for _, size := range sizes {
		t.Run(size, func(t *testing.T) {
			clock := newClock()
			o := mergingOptions(tinykv.MergeAppend)
			o.Clock = clock.now
			db := mustOpen(t, "/store", o)
			must(t, db.Put([]byte("stored"), []byte("s"), tinykv.TTL(2*time.Hour)))
			clock.step(24 * time.Hour)
			tx := begin(t, db, true)
			fill(t, tx, size)
			must(t, tx.Put([]byte("past"), []byte("p"), tinykv.ExpireAt(noon.Add(2*time.Hour))))
			see := func(want map[string]string) {
				t.Helper()
				for k, v := range want {
					if got := get(t, tx, k); got != v {
						t.Errorf("Get(%s) = %q, want %q", k, got, v)
					}
					scanned := "-"
					for item, err := range tx.Scan(tinykv.Between([]byte(k), []byte(k+"\x00"))) {
						must(t, err)
						scanned = string(item.Value)
					}
					if scanned != v {
						t.Errorf("Scan(%s) = %q, want %q", k, scanned, v)
					}
				}
			}
			see(map[string]string{"past": "-", "stored": "-"})
			clock.step(-24 * time.Hour)
			must(t, tx.Put([]byte("k"), []byte("v"), tinykv.TTL(time.Hour)))
			must(t, tx.Put([]byte("m"), []byte("v"), tinykv.TTL(time.Hour)))
			must(t, tx.Merge([]byte("m"), []byte("+")))
			must(t, db.Compact(t.Context(), tinykv.All())) // looks at the readings of all transactions
			see(map[string]string{"past": "-", "stored": "-", "k": "v", "m": "v+"})
			must(t, tx.Commit())
			wantValue(t, db, "k", "v")
			wantValue(t, db, "m", "v+")
			wantValue(t, db, "stored", "-")
			wantValue(t, db, "past", "p") // written by the commit, which came after the step back
			clock.step(time.Hour)
			wantValue(t, db, "k", "-")
			wantValue(t, db, "m", "-")
		})
	}
}

// What a transaction has written before a step back of the clock, and commits behind it, was written behind it.
func TestTx_CommitBehindAStepBackOfTheClockIsNotHidden(t *testing.T) {
	for _, size := range sizes {
		clock := newClock()
		o := mergingOptions(tinykv.MergeAppend)
		o.Clock = clock.now
		db := mustOpen(t, "/store", o)
		must(t, db.Put([]byte("other"), nil, tinykv.TTL(time.Hour)))
		clock.step(24 * time.Hour)
		wantValue(t, db, "other", "-")
		tx := begin(t, db, true)
		fill(t, tx, size)
		must(t, tx.Put([]byte("k"), []byte("v"), tinykv.ExpireAt(noon.Add(time.Hour))))
		clock.step(-24 * time.Hour)
		must(t, tx.Commit())
		wantValue(t, db, "k", "v")
		wantValue(t, db, "other", "-")
		must(t, db.Close())
	}
}

// A conflict leaves nothing behind: no bucket that the transaction would have made. Nor does a condition that does not hold.
func TestTx_ConflictMakesNoBucket(t *testing.T) {
	for _, size := range sizes {
		db := mustOpen(t, "/store", mergingOptions(tinykv.MergeAppend))
		tx := begin(t, db, true)
		if _, err := tx.Has([]byte("k")); err != nil {
			t.Fatal(err)
		}
		must(t, db.Put([]byte("k"), nil))
		fill(t, tx, size)
		must(t, tx.Bucket("new").Put([]byte("k"), nil))
		wantError(t, tx.Commit(), tinykv.ErrConflict)
		names, err := db.Buckets()
		must(t, err)
		if len(names) > 0 {
			t.Errorf("%s: ErrConflict, and there is %q", size, names)
		}
		must(t, db.Close())
	}
}
