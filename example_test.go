package tinykv_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// check keeps the examples short; a program would rather return the error.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// garden returns a store in memory with some fruits and how they are.
func garden() *tinykv.DB {
	db, err := tinykv.Open("garden", &tinykv.Options{FS: vfs.NewMem()})
	check(err)
	for _, fruit := range [][2]string{
		{"apple", "red"}, {"fig", "ripe"}, {"pear", "hard"}, {"plum", "green"},
	} {
		check(db.Put([]byte(fruit[0]), []byte(fruit[1])))
	}
	return db
}

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "tinykv-example-")
	check(err)
	defer os.RemoveAll(dir)

	db, err := tinykv.Open(filepath.Join(dir, "data"), nil) // nil: defaults
	check(err)
	check(db.Put([]byte("fig"), []byte("ripe")))
	check(db.Close())

	db, err = tinykv.Open(filepath.Join(dir, "data"), &tinykv.Options{ErrorIfMissing: true})
	check(err)
	value, err := db.Get([]byte("fig"))
	check(err)
	fmt.Printf("fig is %s\n", value)
	check(db.Close())
	// Output: fig is ripe
}

// A store in memory lives as long as the vfs.FS does: it may be closed and opened again.
func ExampleOpen_inMemory() {
	fs := vfs.NewMem()
	db, err := tinykv.Open("data", &tinykv.Options{FS: fs})
	check(err)
	check(db.Put([]byte("fig"), []byte("ripe")))
	check(db.Close())

	db, err = tinykv.Open("data", &tinykv.Options{FS: fs})
	check(err)
	value, err := db.Get([]byte("fig"))
	check(err)
	fmt.Printf("fig is %s\n", value)
	check(db.Close())
	// Output: fig is ripe
}

func ExampleDB_Put() {
	db := garden()
	defer db.Close()

	check(db.Put([]byte("fig"), []byte("dried")))                // survives the death of the process
	check(db.Put([]byte("plum"), []byte("purple"), tinykv.Sync)) // survives power loss too, and so does fig
	value, err := db.Get([]byte("plum"))
	check(err)
	fmt.Printf("plum is %s\n", value)
	// Output: plum is purple
}

func ExampleDB_Get() {
	db := garden()
	defer db.Close()

	value, err := db.Get([]byte("fig"))
	check(err)
	fmt.Printf("fig is %s\n", value)
	_, err = db.Get([]byte("kiwi"))
	fmt.Println("no kiwi:", errors.Is(err, tinykv.ErrNotFound))
	// Output:
	// fig is ripe
	// no kiwi: true
}

// GetTo reads without garbage into memory that is used again and again.
func ExampleDB_GetTo() {
	db := garden()
	defer db.Close()

	buf := make([]byte, 0, 64)
	for _, fruit := range []string{"apple", "pear"} {
		var err error
		buf, err = db.GetTo(buf[:0], []byte(fruit))
		check(err)
		fmt.Printf("%s is %s\n", fruit, buf)
	}
	// Output:
	// apple is red
	// pear is hard
}

func ExampleDB_Delete() {
	db := garden()
	defer db.Close()

	check(db.Delete([]byte("fig")))
	check(db.Delete([]byte("kiwi"))) // deleting what is absent is no error
	has, err := db.Has([]byte("fig"))
	check(err)
	fmt.Println("fig is there:", has)
	// Output: fig is there: false
}

func ExampleDB_Apply() {
	db := garden()
	defer db.Close()

	batch := db.NewBatch()
	check(batch.Delete([]byte("fig")))
	check(batch.Put([]byte("jam"), []byte("of fig")))
	check(db.Apply(batch)) // both or neither, for readers and after a crash

	for item, err := range db.Scan(tinykv.Between([]byte("f"), []byte("k"))) {
		check(err)
		fmt.Printf("%s is %s\n", item.Key, item.Value)
	}
	// Output: jam is of fig
}

func ExampleBatch_Ops() {
	var batch tinykv.Batch
	check(batch.Put([]byte("fig"), []byte("ripe")))
	check(batch.Delete([]byte("plum")))
	for op := range batch.Ops() {
		fmt.Printf("delete %t: %s %s\n", op.Delete, op.Key, op.Value)
	}
	// Output:
	// delete false: fig ripe
	// delete true: plum
}

func ExampleDB_CompareAndSwap() {
	db := garden()
	defer db.Close()

	for _, old := range []string{"green", "ripe"} {
		done, err := db.CompareAndSwap([]byte("fig"), []byte(old), []byte("eaten"))
		check(err)
		fmt.Printf("it was %s: %t\n", old, done)
	}
	// Output:
	// it was green: false
	// it was ripe: true
}

func ExampleDB_PutIfAbsent() {
	db := garden()
	defer db.Close()

	for _, fruit := range []string{"fig", "kiwi"} {
		done, err := db.PutIfAbsent([]byte(fruit), []byte("new"))
		check(err)
		fmt.Printf("%s: %t\n", fruit, done)
	}
	// Output:
	// fig: false
	// kiwi: true
}

func ExampleDB_NewSnapshot() {
	db := garden()
	defer db.Close()

	before, err := db.NewSnapshot()
	check(err)
	defer before.Close()
	check(db.Put([]byte("fig"), []byte("eaten")))

	then, err := before.Get([]byte("fig"))
	check(err)
	now, err := db.Get([]byte("fig"))
	check(err)
	fmt.Printf("then %s, now %s\n", then, now)
	// Output: then ripe, now eaten
}

func ExampleDB_NewIter() {
	db := garden()
	defer db.Close()

	i, err := db.NewIter(tinykv.All())
	check(err)
	for ok := i.SeekGE([]byte("b")); ok; ok = i.Next() {
		fmt.Printf("%s is %s\n", i.Key(), i.Value()) // lent until the next move
	}
	check(i.Err()) // nil: it was the end
	check(i.Close())
	// Output:
	// fig is ripe
	// pear is hard
	// plum is green
}

func ExampleDB_Scan() {
	db := garden()
	defer db.Close()

	for item, err := range db.Scan(tinykv.All()) {
		check(err)
		fmt.Printf("%s is %s\n", item.Key, item.Value)
	}
	// Output:
	// apple is red
	// fig is ripe
	// pear is hard
	// plum is green
}

func ExampleDB_Scan_prefix() {
	db := garden()
	defer db.Close()

	for item, err := range db.Scan(tinykv.Prefix([]byte("p")), tinykv.KeysOnly) {
		check(err)
		fmt.Printf("%s\n", item.Key)
	}
	// Output:
	// pear
	// plum
}

func ExampleDB_Scan_reverse() {
	db := garden()
	defer db.Close()

	for item, err := range db.Scan(tinykv.All(), tinykv.Reverse, tinykv.Limit(2)) {
		check(err)
		fmt.Printf("%s is %s\n", item.Key, item.Value)
	}
	// Output:
	// plum is green
	// pear is hard
}

// Events tell what happens when it happens; they are called by the goroutine that does it.
func ExampleEvents() {
	db, err := tinykv.Open("garden", &tinykv.Options{
		FS: vfs.NewMem(),
		Events: &tinykv.Events{
			FlushEnd:   func(f tinykv.FlushInfo) { fmt.Println("flushed", f.MemTables, "memtable to", f.Tables, "table") },
			StallEnd:   func(s tinykv.StallInfo) { fmt.Println("writers waited for", s.Reason) },
			Corruption: func(c tinykv.CorruptionInfo) { fmt.Println("damage in", c.Path, "at", c.Offset) },
		},
	})
	check(err)
	check(db.Put([]byte("fig"), []byte("ripe")))
	check(db.Close())
	// Output: flushed 1 memtable to 1 table
}

func ExampleMetrics_WritePrometheus() {
	db := garden()
	defer db.Close()
	metrics := func(w http.ResponseWriter, _ *http.Request) {
		if err := db.Metrics().WritePrometheus(w); err != nil {
			log.Print(err)
		}
	}
	w := httptest.NewRecorder()
	metrics(w, nil)
	for line := range strings.Lines(w.Body.String()) {
		if strings.Contains(line, "tinykv_last_sequence") {
			fmt.Print(line)
		}
	}
	// Output:
	// # HELP tinykv_last_sequence Number of the last write.
	// # TYPE tinykv_last_sequence gauge
	// tinykv_last_sequence 4
}

// What is good in a store that may be damaged gets into a new one; the report says which keys may be
// missing there.
func ExampleRepair() {
	fs := vfs.NewMem()
	db, err := tinykv.Open("fruits", &tinykv.Options{FS: fs})
	check(err)
	check(db.Put([]byte("fig"), []byte("ripe")))
	check(db.Close())

	report, err := tinykv.Repair(context.Background(), "fruits", "copy", &tinykv.RepairOptions{FS: fs})
	check(err) // why it could not be done
	if report.Err() != nil {
		fmt.Println(report) // what is not in the copy
	}
	db, err = tinykv.Open("copy", &tinykv.Options{FS: fs})
	check(err)
	value, err := db.Get([]byte("fig"))
	check(err)
	fmt.Printf("%d key: fig is %s\n", report.Entries, value)
	check(db.Close())
	// Output: 1 key: fig is ripe
}
