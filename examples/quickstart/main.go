// Command quickstart shows the least there is to know: open a store, write, read, delete, close.
package main

import (
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/tinykv/tinykv"
)

func main() {
	dir, err := os.MkdirTemp("", "tinykv-quickstart-") // any name will do; Open makes the directory
	if err == nil {
		err = errors.Join(run(dir), os.RemoveAll(dir))
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(dir string) (err error) {
	db, err := tinykv.Open(dir, nil) // nil: defaults
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }() // nil: everything is on stable storage

	// A write that returned nil survives the death of the process, one with Sync also power loss.
	if err := db.Put([]byte("fig"), []byte("ripe")); err != nil {
		return err
	}
	if err := db.Put([]byte("plum"), []byte("green"), tinykv.Sync); err != nil {
		return err
	}

	value, err := db.Get([]byte("fig")) // a copy: it is yours
	if err != nil {
		return err
	}
	fmt.Printf("fig is %s\n", value)

	if err := db.Delete([]byte("fig")); err != nil {
		return err
	}
	if _, err := db.Get([]byte("fig")); errors.Is(err, tinykv.ErrNotFound) {
		fmt.Println("fig is gone")
	}
	return nil
}
