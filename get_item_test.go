package tinykv_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tinykv/tinykv"
)

// What PeekItem says of values, expiries and numbers beside Scan is a part of the histories, see internal/enginetest.
func TestPeekItem_TellsTheVersionAndTheExpiry(t *testing.T) {
	db, _ := withClock(t)
	items := func(r interface {
		PeekItem(k []byte, fn func(tinykv.Item) error) error
	},
	) (all string) {
		for _, k := range []string{"a", "b", "c"} {
			err := r.PeekItem([]byte(k), func(it tinykv.Item) error {
				all += fmt.Sprintf("%s=%s %d %v; ", it.Key, it.Value, it.Seq, !it.ExpiresAt.IsZero())
				return nil
			})
			if err != nil {
				all += fmt.Sprint(err, "; ")
			}
		}
		return all
	}
	must(t, db.Put([]byte("a"), []byte("1")))
	must(t, db.Put([]byte("b"), []byte("2"), tinykv.TTL(time.Hour)))
	snapshot, err := db.NewSnapshot()
	must(t, err)
	defer snapshot.Close()
	must(t, db.Put([]byte("a"), []byte("3")))
	equal(t, "now", items(db), "a=3 3 false; b=2 2 true; "+tinykv.ErrNotFound.Error()+"; ")
	equal(t, "then", items(snapshot), "a=1 1 false; b=2 2 true; "+tinykv.ErrNotFound.Error()+"; ")
	must(t, db.Update(func(tx *tinykv.Tx) error {
		must(t, tx.Put([]byte("a"), []byte("own"), tinykv.TTL(time.Minute)))
		must(t, tx.Delete([]byte("b")))
		equal(t, "in a transaction", items(tx), "a=own 0 true; "+tinykv.ErrNotFound.Error()+"; "+tinykv.ErrNotFound.Error()+"; ")
		return nil
	}))
}
