// Command snapshot shows how to read the past: a snapshot stays as it was while the store goes on.
package main

import (
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
	db, err := tinykv.Open("garden", &tinykv.Options{FS: vfs.NewMem()}) // in memory, to leave nothing behind
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	fig := []byte("fig")
	if err := db.Put(fig, []byte("green")); err != nil {
		return err
	}
	spring, err := db.NewSnapshot()
	if err != nil {
		return err
	}
	// An open snapshot keeps what was overwritten since from being dropped, so close it.
	defer func() { err = errors.Join(err, spring.Close()) }()

	if err := db.Put(fig, []byte("ripe")); err != nil {
		return err
	}
	then, err := spring.Get(fig)
	if err != nil {
		return err
	}
	now, err := db.Get(fig)
	if err != nil {
		return err
	}
	fmt.Printf("at write %d the fig was %s, now it is %s\n", spring.Seq(), then, now)
	return nil
}
