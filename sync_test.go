package tinykv_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs/simfs"
)

// The age of what a power cut can take is bounded, though nobody syncs: for every write, not just
// for the first.
func TestPut_WithoutSyncIsDurableAfterTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := simfs.New()
		options := &tinykv.Options{FS: fsys, SyncInterval: time.Second}
		db := mustOpen(t, "/store", options)
		durable := func(k []byte) bool {
			image := mustOpen(t, "/store", &tinykv.Options{FS: fsys.Image(simfs.DropAll, 1)})
			v, err := image.Get(k)
			must(t, image.Close())
			return err == nil && string(v) == "v"
		}
		for n := range 3 {
			k := fmt.Append(nil, n)
			must(t, db.Put(k, []byte("v")))
			if durable(k) {
				t.Errorf("write %d is durable at once; nothing is left to be seen", n)
			}
			<-time.After(options.SyncInterval) // by the clock of synctest
			synctest.Wait()
			if !durable(k) {
				t.Errorf("write %d is not durable after SyncInterval", n)
			}
		}
		must(t, db.Close())
	})
}
