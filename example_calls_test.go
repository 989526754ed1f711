package tinykv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// openExample opens a store in memory that holds some fruits.
func openExample(op tinykv.MergeOperator) *tinykv.DB {
	db, err := tinykv.Open("data", &tinykv.Options{FS: vfs.NewMem(), MergeOperator: op})
	check(err)
	for _, name := range []string{"apple", "fig", "plum"} {
		check(db.Put([]byte("fruit/"+name), []byte("ripe")))
	}
	return db
}

func ExampleDB_Update() {
	db := openExample(nil)
	defer func() { check(db.Close()) }()

	// What the function reads is still so when its writes take effect; if it is not, the function is called again.
	errNone := errors.New("there are none left")
	take := func(tx *tinykv.Tx) error {
		left, err := tx.Get([]byte("left"))
		switch {
		case errors.Is(err, tinykv.ErrNotFound):
			return errNone // rolls back, and is what Update returns
		case err != nil:
			return err
		}
		n, _ := tinykv.DecodeInt64(left)
		return tx.Put([]byte("left"), tinykv.EncodeInt64(n-1))
	}
	fmt.Println(db.Update(take))
	check(db.Put([]byte("left"), tinykv.EncodeInt64(3)))
	fmt.Println(db.Update(take))
	// Output:
	// there are none left
	// <nil>
}

func ExampleDB_View() {
	db := openExample(nil)
	defer func() { check(db.Close()) }()

	check(db.View(func(tx *tinykv.Tx) error { // all of one moment, and nobody waits
		n, err := tx.Count(context.Background(), tinykv.Prefix([]byte("fruit/")))
		if err != nil {
			return err
		}
		has, err := tx.Has([]byte("fruit/fig"))
		fmt.Println(n, has)
		return err
	}))
	// Output: 3 true
}

func ExampleDB_Begin() {
	db := openExample(nil)
	defer func() { check(db.Close()) }()

	tx, err := db.Begin(true)
	check(err)
	defer func() { check(tx.Rollback()) }() // after Commit it does nothing
	_, err = tx.Get([]byte("fruit/fig"))
	check(err)
	check(tx.Put([]byte("jam"), []byte("of fig")))
	check(db.Delete([]byte("fruit/fig"))) // somebody else writes what the transaction has read
	fmt.Println(errors.Is(tx.Commit(), tinykv.ErrConflict))
	// Output: true
}

func ExampleDB_Merge() {
	db := openExample(tinykv.MergeAddInt64)
	defer func() { check(db.Close()) }()

	for range 3 {
		check(db.Merge([]byte("visits"), tinykv.EncodeInt64(1))) // reads nothing, and conflicts with nobody
	}
	v, err := db.Get([]byte("visits"))
	check(err)
	n, ok := tinykv.DecodeInt64(v)
	fmt.Println(n, ok)
	// Output: 3 true
}

// longest is an operator that keeps the longest of all values.
type longest struct{}

func (longest) Name() string { return "example.longest" }

func (longest) Merge(older, newer []byte) []byte {
	if len(newer) > len(older) {
		return newer
	}
	return older
}

func ExampleMergeOperator() {
	db := openExample(longest{}) // see above: two methods
	defer func() { check(db.Close()) }()

	for _, word := range []string{"fig", "pomegranate", "plum"} {
		check(db.Merge([]byte("word"), []byte(word)))
	}
	v, err := db.Get([]byte("word"))
	check(err)
	fmt.Printf("%s\n", v)
	// Output: pomegranate
}

func ExampleTTL() {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	db, err := tinykv.Open("data", &tinykv.Options{FS: vfs.NewMem(), Clock: func() time.Time { return now }}) // a clock for tests
	check(err)
	defer func() { check(db.Close()) }()

	check(db.Put([]byte("session"), []byte("anna"), tinykv.TTL(time.Hour)))
	check(db.PeekItem([]byte("session"), func(item tinykv.Item) error {
		fmt.Printf("%s until %s\n", item.Value, item.ExpiresAt.UTC().Format(time.TimeOnly))
		return nil
	}))
	now = now.Add(time.Hour)
	has, err := db.Has([]byte("session"))
	fmt.Println(has, err)
	// Output:
	// anna until 13:00:00
	// false <nil>
}

func ExampleDB_Bucket() {
	db := openExample(nil)
	defer func() { check(db.Close()) }()

	users, carts := db.Bucket("users"), db.Bucket("carts")
	check(users.Put([]byte("7"), []byte("Anna")))
	batch := db.NewBatch() // across buckets, and still all or nothing
	check(batch.Bucket("users").Put([]byte("8"), []byte("Ben")))
	check(batch.Bucket("carts").Put([]byte("8"), []byte("fig")))
	check(db.Apply(batch))

	names, err := db.Buckets()
	check(err)
	n, err := users.Count(context.Background(), tinykv.All())
	check(err)
	fmt.Println(names, n)
	check(db.DropBucket(context.Background(), "users"))
	cart, err := carts.Get([]byte("8"))
	fmt.Printf("%s %v\n", cart, err)
	// Output:
	// [carts users] 2
	// fig <nil>
}

func ExampleDB_GetMulti() {
	db := openExample(nil)
	defer func() { check(db.Close()) }()

	values, err := db.GetMulti([]byte("fruit/fig"), []byte("fruit/mango"))
	check(err)
	fmt.Printf("%s, absent: %v\n", values[0], values[1] == nil)
	// Output: ripe, absent: true
}

func ExampleDB_Peek() {
	db := openExample(nil)
	defer func() { check(db.Close()) }()

	length := 0
	check(db.Peek([]byte("fruit/fig"), func(value []byte) error {
		length = len(value) // value itself may not be kept: it is no copy
		return nil
	}))
	fmt.Println(length)
	// Output: 4
}

func ExampleDB_DeleteRange() {
	db := openExample(nil)
	defer func() { check(db.Close()) }()

	check(db.Put([]byte("tool/knife"), nil))
	fruits := tinykv.Prefix([]byte("fruit/"))
	check(db.DeleteRange(fruits.Lower, fruits.Upper)) // one operation, however many keys
	for item, err := range db.Scan(tinykv.All(), tinykv.KeysOnly) {
		check(err)
		fmt.Printf("%s\n", item.Key)
	}
	// Output: tool/knife
}

func ExampleDB_Count() {
	db := openExample(nil)
	defer func() { check(db.Close()) }()

	n, err := db.Count(context.Background(), tinykv.Between([]byte("fruit/b"), []byte("fruit/z")))
	fmt.Println(n, err)
	// Output: 2 <nil>
}

func ExampleDB_Explain() {
	db := openExample(nil)
	defer func() { check(db.Close()) }()

	way, err := db.Explain([]byte("fruit/fig"))
	check(err)
	fmt.Print(way)
	// Output:
	// key "fruit/fig", as of #3
	//   memtable               found
	// found #2,SET with a value of 4 bytes
}

func ExampleDB_Verify() {
	db := openExample(nil)
	defer func() { check(db.Close()) }()

	check(db.Flush(context.Background()))
	report, err := db.Verify(context.Background(), nil) // while others read and write
	check(err)
	fmt.Println(report.Tables, report.Entries, report.Err())
	// Output: 1 3 <nil>
}

func ExampleBatch_MarshalBinary() {
	db := openExample(nil)
	defer func() { check(db.Close()) }()

	batch := db.NewBatch()
	check(batch.Put([]byte("jam"), []byte("of fig")))
	message, err := batch.MarshalBinary()
	check(err)

	var received tinykv.Batch // in another process, say
	check(received.UnmarshalBinary(message))
	check(db.Apply(&received))
	jam, err := db.Get([]byte("jam"))
	fmt.Printf("%s %v\n", jam, err)
	// Output: of fig <nil>
}

func ExampleIterator_SeekGE() {
	db := openExample(nil)
	defer func() { check(db.Close()) }()

	it, err := db.NewIter(tinykv.All())
	check(err)
	defer func() { check(it.Close()) }()
	var kept [][]byte
	for ok := it.SeekGE([]byte("fruit/b")); ok; ok = it.Next() {
		kept = append(kept, bytes.Clone(it.Key())) // what it lends holds until the next move
	}
	check(it.Err()) // whether that was the end, or a failure
	slices.Reverse(kept)
	fmt.Printf("%s\n", kept)
	// Output: [fruit/plum fruit/fig]
}
