package tinykv_test

import (
	"fmt"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// The options that docs/OPERATIONS.md shows.
func Example_profiles() {
	small := &tinykv.Options{
		MemoryBudget:   8 << 20,
		MaxBackground:  1,
		CompactionRate: 4 << 20, // bytes a second: leave the card to others
		Compression:    tinykv.CompressionZstd,
	}
	byDefault := &tinykv.Options{}
	server := &tinykv.Options{
		MemoryBudget:    2 << 30,
		MemTableSize:    64 << 20,
		MaxBackground:   8,
		BloomBitsPerKey: 12,
	}
	for _, o := range []*tinykv.Options{small, byDefault, server} {
		o.FS = vfs.NewMem()
		db, err := tinykv.Open("profile", o)
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := db.Close(); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println("all open")
	// Output: all open
}
