// Command buckets shows keyspaces: a table of users and an index of their towns, changed together, read one by one, and dropped
// at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() (err error) {
	db, err := tinykv.Open("directory", &tinykv.Options{FS: vfs.NewMem()}) // in memory, to leave nothing behind
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	for name, town := range map[string]string{"ada": "London", "emmy": "Erlangen", "grace": "New York", "mary": "London"} {
		if err := addUser(db, name, town); err != nil {
			return err
		}
	}
	names, err := db.Buckets() // each came into being with its first write
	if err != nil {
		return err
	}
	fmt.Printf("buckets: %q\n", names)

	for item, err := range db.Bucket("towns").Scan(tinykv.Prefix([]byte("London\x00"))) {
		if err != nil {
			return err
		}
		user := item.Key[len("London\x00"):]
		town, err := db.Bucket("users").Get(user)
		if err != nil {
			return err
		}
		fmt.Printf("%s lives in %s\n", user, town)
	}

	// The index can be made anew at any time: it goes at once, and takes nothing else along.
	if err := db.DropBucket(context.Background(), "towns"); err != nil {
		return err
	}
	users, err := db.Bucket("users").Count(context.Background(), tinykv.All())
	if err != nil {
		return err
	}
	towns, err := db.Bucket("towns").Count(context.Background(), tinykv.All())
	if err != nil {
		return err
	}
	fmt.Printf("after the drop: %d users, %d towns\n", users, towns)
	return nil
}

// addUser writes a user and the entry of the index, both or neither.
func addUser(db *tinykv.DB, name, town string) error {
	batch := db.NewBatch()
	if err := batch.Bucket("users").Put([]byte(name), []byte(town)); err != nil {
		return err
	}
	if err := batch.Bucket("towns").Put([]byte(town+"\x00"+name), nil); err != nil {
		return err
	}
	return db.Apply(batch)
}
