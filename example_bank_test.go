package tinykv_test

import (
	"errors"
	"fmt"
	"sync"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// A bank: eight tellers move money at once, and no sum is ever wrong. The suite A21 does the same with processes that are killed.
func Example_bank() {
	db, err := tinykv.Open("bank", &tinykv.Options{FS: vfs.NewMem()})
	if err != nil {
		panic(err)
	}
	defer db.Close()

	account := func(i int) []byte { return fmt.Appendf(nil, "account/%d", i) }
	balance := func(tx *tinykv.Tx, i int) int64 {
		v, err := tx.Get(account(i))
		if err != nil && !errors.Is(err, tinykv.ErrNotFound) {
			panic(err)
		}
		n, _ := tinykv.DecodeInt64(v)
		return n
	}
	for i := range 10 {
		if err := db.Put(account(i), tinykv.EncodeInt64(100)); err != nil {
			panic(err)
		}
	}

	transfer := func(from, to int, amount int64) error {
		return db.Update(func(tx *tinykv.Tx) error { // may run several times: no effects but on tx
			if balance(tx, from) < amount {
				return errors.New("not enough money")
			}
			return errors.Join(
				tx.Put(account(from), tinykv.EncodeInt64(balance(tx, from)-amount)),
				tx.Put(account(to), tinykv.EncodeInt64(balance(tx, to)+amount)),
			)
		})
	}
	var tellers sync.WaitGroup
	for t := range 8 {
		tellers.Go(func() {
			for i := range 100 {
				_ = transfer((t+i)%10, (t*3+i*7+1)%10, int64(i%30)) // some are refused
			}
		})
	}
	tellers.Wait()

	err = db.View(func(tx *tinykv.Tx) error { // one moment
		sum := int64(0)
		for i := range 10 {
			sum += balance(tx, i)
		}
		fmt.Println("all accounts together have", sum)
		return nil
	})
	if err != nil {
		panic(err)
	}
	// Output: all accounts together have 1000
}
