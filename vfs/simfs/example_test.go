package simfs_test

import (
	"fmt"

	"github.com/tinykv/tinykv/vfs/simfs"
)

// A program writes a file, syncs it, and forgets to sync the directory.
func Example() {
	fsys := simfs.New()
	f, _ := fsys.Create("/a")
	_, _ = f.Write([]byte("xy"))
	_ = f.Sync()
	_, _ = f.Write([]byte("z"))

	fmt.Print(fsys.Trace())
	for label, image := range fsys.Images(simfs.Prefixes, 1, 0) {
		names, _ := image.List("/")
		fmt.Println(label, "leaves", names)
	}
	// Output:
	// 1 create a
	// 2 write a off=0 n=2
	// 3 sync a
	// 4 write a off=2 n=1
	// image 0: kept the first 0 of 2, lost 1 4 leaves []
	// image 1: kept the first 1 of 2, lost 4 leaves [a]
	// image 2: kept the first 2 of 2, lost nothing leaves [a]
}

// Every write fails, the first one after half of its bytes, as on a full disk.
func ExampleFS_FailCall() {
	fsys := simfs.New()
	f, _ := fsys.Create("/a")
	fsys.FailCall(simfs.Fault{
		Match: simfs.Kinds(simfs.OpWrite, simfs.OpExtend), Err: simfs.NoSpace, ShortBytes: 1, Always: true,
	})
	n, err := f.Write([]byte("xy"))
	fmt.Println(n, err)
	// Output:
	// 1 write /a: no space left on device
}
