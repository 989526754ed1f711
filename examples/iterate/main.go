// Command iterate shows the two ways to go over keys in order: Scan, a loop over copies, and NewIter,
// a cursor that seeks, goes both ways and lends its memory.
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
	db, err := tinykv.Open("log", &tinykv.Options{FS: vfs.NewMem()}) // in memory, to leave nothing behind
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, day := range []string{"mon", "tue", "wed"} {
		for hour := range 24 {
			if err := db.Put(fmt.Appendf(nil, "%s/%02d", day, hour), []byte("all quiet")); err != nil {
				return err
			}
		}
	}

	fmt.Println("the last two of tuesday:")
	for item, err := range db.Scan(tinykv.Prefix([]byte("tue/")), tinykv.Reverse, tinykv.Limit(2)) {
		if err != nil {
			return err // damage, say; it comes as the last pair
		}
		fmt.Printf("  %s %s\n", item.Key, item.Value) // item may be kept
	}

	i, err := db.NewIter(tinykv.All())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.Close()) }() // an open iterator keeps files
	fmt.Println("around tuesday noon:")
	for ok := i.SeekLT([]byte("tue/12")); ok && string(i.Key()) <= "tue/13"; ok = i.Next() {
		fmt.Printf("  %s %s\n", i.Key(), i.Value()) // lent until the next move
	}
	return i.Err() // nil, unless the loop ended for another reason than the end
}
