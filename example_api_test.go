package tinykv_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// The parts of these functions are what docs/API.md shows.

func Example_apiKeys() {
	db := garden()
	defer db.Close()

	check(db.Put([]byte("fig"), []byte("ripe")))                        // the operating system has it
	check(db.Put([]byte("fig"), []byte("dried"), tinykv.Sync))          // the disk has it, and all before it
	check(db.Put([]byte("mail/7"), []byte("?"), tinykv.TTL(time.Hour))) // absent in an hour

	value, err := db.Get([]byte("fig")) // a copy, the caller's
	if errors.Is(err, tinykv.ErrNotFound) {
		fmt.Println("there is no fig")
	}
	check(err)
	fmt.Printf("fig: %s\n", value)

	check(db.Peek([]byte("fig"), func(value []byte) error { // no copy; lent until the function returns
		fmt.Println(len(value), "bytes")
		return nil
	}))

	put, err := db.PutIfAbsent([]byte("fig"), []byte("new")) // false: it is there
	check(err)
	swapped, err := db.CompareAndSwap([]byte("fig"), []byte("dried"), []byte("eaten")) // nothing comes between
	check(err)
	fmt.Println(put, swapped)

	check(db.Delete([]byte("fig")))
	check(db.DeleteRange([]byte("mail/"), []byte("mail0"))) // one operation, whatever is there
	// Output:
	// fig: dried
	// 5 bytes
	// false true
}

func Example_apiRanges() {
	db := garden()
	defer db.Close()

	for item, err := range db.Scan(tinykv.Prefix([]byte("p")), tinykv.Reverse, tinykv.Limit(10)) {
		check(err)
		fmt.Printf("%s: %s\n", item.Key, item.Value) // the caller's to keep
	}

	it, err := db.NewIter(tinykv.Between([]byte("b"), nil)) // from b to the end
	check(err)
	for ok := it.SeekGE([]byte("g")); ok; ok = it.Next() {
		fmt.Printf("%s\n", it.Key()) // lent until the next move
	}
	check(errors.Join(it.Err(), it.Close()))

	n, err := db.Count(context.Background(), tinykv.All()) // exact: it reads them
	check(err)
	size, err := db.EstimateSize(tinykv.All()) // about, at once
	check(err)
	fmt.Println(n, size > 0)
	// Output:
	// plum: green
	// pear: hard
	// pear
	// plum
	// 4 true
}

func Example_apiTogether() {
	db := garden()
	defer db.Close()

	batch := db.NewBatch() // both or neither, also after a crash
	check(batch.Put([]byte("kiwi"), []byte("soft")))
	check(batch.Delete([]byte("fig")))
	check(db.Apply(batch, tinykv.Sync))

	check(db.Update(func(tx *tinykv.Tx) error { // tried again when others wrote what it has read
		value, err := tx.Get([]byte("kiwi"))
		if err != nil {
			return err
		}
		return tx.Put([]byte("jam"), value)
	}))

	tx, err := db.Begin(true) // or by hand
	check(err)
	_, err = tx.Get([]byte("jam"))
	check(err)
	check(db.Put([]byte("jam"), []byte("gone"))) // somebody else
	check(tx.Put([]byte("bread"), []byte("with jam")))
	fmt.Println(errors.Is(tx.Commit(), tinykv.ErrConflict)) // nothing of it happened

	snapshot, err := db.NewSnapshot()
	check(err)
	defer snapshot.Close()
	check(db.Delete([]byte("jam")))
	value, err := snapshot.Get([]byte("jam"))
	check(err)
	fmt.Printf("%s\n", value)
	// Output:
	// true
	// gone
}

func Example_apiMore() {
	db, err := tinykv.Open("data", &tinykv.Options{FS: vfs.NewMem(), MergeOperator: tinykv.MergeAddInt64})
	check(err)
	defer db.Close()

	archive := db.Bucket("archive") // keys of its own; made by its first write
	check(archive.Put([]byte("2026"), []byte("done")))
	names, err := db.Buckets()
	check(err)
	fmt.Println(names)
	check(db.DropBucket(context.Background(), "archive")) // all of it, at once

	seq := db.Metrics().LastSeq
	check(db.Merge([]byte("visits"), tinykv.EncodeInt64(1))) // a counter, without a read
	check(db.Merge([]byte("visits"), tinykv.EncodeInt64(41)))
	value, err := db.Get([]byte("visits"))
	check(err)
	visits, _ := tinykv.DecodeInt64(value)
	fmt.Println(visits)

	for change, err := range db.Watch(context.Background(), tinykv.Prefix([]byte("v")), seq) { // from seq on; 0: from now on
		check(err)
		fmt.Printf("%v %s #%d\n", change.Kind, change.Key, change.Seq)
		break
	}
	// Output:
	// [archive]
	// 42
	// merge visits #3
}
