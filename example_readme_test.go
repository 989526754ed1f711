package tinykv_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tinykv/tinykv"
)

// README.md shows the body of this function.
func Example() {
	dir, _ := os.MkdirTemp("", "fruits-")
	defer os.RemoveAll(dir)

	db, err := tinykv.Open(dir, nil) // nil: defaults
	check(err)
	defer func() { check(db.Close()) }() // nil: everything is on stable storage

	check(db.Put([]byte("fig"), []byte("ripe")))                // survives kill -9
	check(db.Put([]byte("plum"), []byte("green"), tinykv.Sync)) // and power loss

	value, err := db.Get([]byte("fig")) // a copy; errors.Is(err, tinykv.ErrNotFound) when absent
	check(err)
	fmt.Printf("fig is %s\n", value)

	batch := db.NewBatch()
	check(batch.Delete([]byte("fig")))
	check(batch.Put([]byte("jam"), []byte("of fig")))
	check(db.Apply(batch)) // both or neither

	for item, err := range db.Scan(tinykv.All()) { // one instant, whatever is written meanwhile
		check(err)
		fmt.Printf("%s is %s\n", item.Key, item.Value)
	}
	// Output:
	// fig is ripe
	// jam is of fig
	// plum is green
}

// README.md shows the body of this function.
func Example_more() {
	dir, _ := os.MkdirTemp("", "bank-")
	defer os.RemoveAll(dir)
	db, err := tinykv.Open(dir, &tinykv.Options{MergeOperator: tinykv.MergeAddInt64})
	check(err)
	defer func() { check(db.Close()) }()

	changes := db.Watch(context.Background(), tinykv.Prefix([]byte("account/")), 0) // from here on

	check(db.Update(func(tx *tinykv.Tx) error { // serializable; tried again when others wrote what it read
		balance, err := tx.Get([]byte("account/anna"))
		if err != nil && !errors.Is(err, tinykv.ErrNotFound) {
			return err
		}
		n, _ := tinykv.DecodeInt64(balance)
		return tx.Put([]byte("account/anna"), tinykv.EncodeInt64(n+100))
	}))

	check(db.Merge([]byte("visits"), tinykv.EncodeInt64(1)))                                     // a counter, without reading it
	check(db.Put([]byte("session/7"), []byte("anna"), tinykv.TTL(30*time.Minute)))               // gone by itself
	check(db.Bucket("archive").Put([]byte("2026"), []byte("a keyspace of its own")))             // DropBucket drops it at once
	check(db.View(func(tx *tinykv.Tx) error { _, err := tx.Get([]byte("visits")); return err })) // one moment, nobody waits

	for change, err := range changes { // in the order of commits, each exactly once
		check(err)
		fmt.Printf("%v %s\n", change.Kind, change.Key)
		break
	}
	// Output:
	// put account/anna
}
