package tinykv_test

import (
	"fmt"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// limiter lets a client make so many requests in a window of time. The window begins with the first request, and its counter is gone
// with it.
type limiter struct {
	db     *tinykv.DB
	limit  int64
	window time.Duration
}

// allow counts a request, and tells whether it may be served, however many ask at once.
func (l *limiter) allow(client string) (ok bool, err error) {
	err = l.db.Update(func(tx *tinykv.Tx) error {
		k := []byte("requests/" + client)
		if has, err := tx.Has(k); err != nil {
			return err
		} else if !has {
			if err := tx.Put(k, tinykv.EncodeInt64(0), tinykv.TTL(l.window)); err != nil {
				return err
			}
		}
		if err := tx.Merge(k, tinykv.EncodeInt64(1)); err != nil { // which keeps the expiry
			return err
		}
		v, err := tx.Get(k)
		n, _ := tinykv.DecodeInt64(v)
		ok = n <= l.limit
		return err
	})
	return ok, err
}

// A rate limiter: counters that are merged, and expire with their window.
func Example_rateLimiter() {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC) // a clock of our own, to wait for nothing
	db, err := tinykv.Open("limits", &tinykv.Options{
		FS:            vfs.NewMem(),
		MergeOperator: tinykv.MergeAddInt64,
		Clock:         func() time.Time { return now },
	})
	if err != nil {
		panic(err)
	}
	defer db.Close()

	l := limiter{db: db, limit: 3, window: time.Minute}
	ask := func(client string) {
		ok, err := l.allow(client)
		fmt.Println(now.Format(time.TimeOnly), client, ok, err)
	}
	for range 4 {
		ask("anna")
		now = now.Add(time.Second)
	}
	ask("bert")
	now = now.Add(time.Minute)
	ask("anna")

	// Output:
	// 12:00:00 anna true <nil>
	// 12:00:01 anna true <nil>
	// 12:00:02 anna true <nil>
	// 12:00:03 anna false <nil>
	// 12:00:04 bert true <nil>
	// 12:01:04 anna true <nil>
}
