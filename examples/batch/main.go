// Command batch shows writes that take effect together: money moves from one account to another, and
// no reader, and no crash, ever finds it in both or in neither.
package main

import (
	"errors"
	"fmt"
	"log"
	"strconv"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() (err error) {
	db, err := tinykv.Open("bank", &tinykv.Options{FS: vfs.NewMem()}) // in memory, to leave nothing behind
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	batch := db.NewBatch()
	if err := errors.Join(set(batch, "anna", 100), set(batch, "bert", 20)); err != nil {
		return err
	}
	if err := db.Apply(batch); err != nil {
		return err
	}

	batch.Reset() // it may be used again
	if err := errors.Join(set(batch, "anna", 70), set(batch, "bert", 50)); err != nil {
		return err
	}
	fmt.Printf("%d operations, %d bytes\n", batch.Len(), batch.Size())
	if err := db.Apply(batch, tinykv.Sync); err != nil { // both are on stable storage, or neither
		return err
	}
	for item, err := range db.Scan(tinykv.All()) {
		if err != nil {
			return err
		}
		fmt.Printf("%s has %s\n", item.Key, item.Value)
	}
	return nil
}

func set(b *tinykv.Batch, account string, amount int) error {
	return b.Put([]byte(account), strconv.AppendInt(nil, int64(amount), 10))
}
