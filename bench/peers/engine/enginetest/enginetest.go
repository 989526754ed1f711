// Package enginetest says what an adapter must do before what it measures means anything. An adapter's test is
//
//	func TestEngine(t *testing.T) { enginetest.Run(t, New()) }
package enginetest

import (
	"testing"

	"github.com/tinykv/tinykv/bench/peers/engine"
)

// Run tests an engine under each profile, and with Sync.
func Run(t *testing.T, e engine.Engine) {
	configs := map[string]engine.Config{
		"equal":   {Profile: engine.Equal},
		"sync":    {Profile: engine.Equal, Sync: true},
		"default": {Profile: engine.Default},
	}
	for name, config := range configs {
		t.Run(name, func(t *testing.T) { run(t, e, config) })
	}
}

func run(t *testing.T, e engine.Engine, c engine.Config) {
	cases := []struct {
		name string
		test func(*fixture)
	}{
		{"it says what it is", describes},
		{"a key that was never written is missing", missing},
		{"the last value written is read", overwrites},
		{"an empty value is there", emptyValue},
		{"large values are whole", largeValues},
		{"what is passed in may change afterwards", reusedSlices},
		{"a deleted key is missing and may be deleted again", deletes},
		{"a batch writes all", batches},
		{"a batch may be larger than those before", growingBatches},
		{"MultiGet shows those that are there in order", multiGets},
		{"MultiGet and Get return the error of look", lookErrors},
		{"an empty store has nothing to go over", emptyIterator},
		{"an iterator goes forward over all", forward},
		{"an iterator goes backward over all", backward},
		{"SeekGE finds the first key at or behind", seeks},
		{"an iterator sees the store as it was", snapshots},
		{"iterators may be made again and again", manyIterators},
		{"a store that is opened again has everything", reopens},
		{"a session sees at once what another wrote", othersWrites},
		{"sessions work at the same time", atOnce},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) { tc.test(newFixture(t, e, c)) })
	}
}
