package tinykv_test

import (
	"fmt"
	"os"

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
