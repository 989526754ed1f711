package tinykv_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// A store that was written to keeps a memtable and log segments ready for what comes next, but not for
// ever: in a small store they would be most of its directory.
func TestRest_GivesBackWhatIsKeptForTheNextWrites(t *testing.T) {
	const memTable = 1 << 20
	synctest.Test(t, func(t *testing.T) {
		db := mustOpen(t, "/store", &tinykv.Options{FS: vfs.NewMem(), MemTableSize: memTable})
		fill := func() {
			t.Helper()
			for i := range 10_000 {
				must(t, db.Put(fmt.Appendf(nil, "%08d", i), make([]byte, 300)))
			}
			must(t, db.Flush(t.Context()))
		}
		fill()
		m := db.Metrics()
		if m.LogSpareBytes == 0 || m.Memory.MemTables < 2*memTable {
			t.Fatalf("%d bytes of spare log and %d bytes of memtables after many writes: nothing to be seen", m.LogSpareBytes, m.Memory.MemTables)
		}
		<-time.After(time.Minute) // by the clock of synctest
		synctest.Wait()
		if m := db.Metrics(); m.LogSpareBytes != 0 || m.Memory.MemTables != memTable {
			t.Errorf("%d bytes of spare log and %d of memtables after a minute of rest", m.LogSpareBytes, m.Memory.MemTables)
		}
		fill()
		must(t, db.Close())
	})
}
