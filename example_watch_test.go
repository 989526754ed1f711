package tinykv_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// mirrored is a copy of the keys in a range, kept up to date by what is told of them.
type mirrored struct {
	keys map[string]string
	seq  uint64 // the copy is as of here
}

// start copies what there is.
func (m *mirrored) start(db *tinykv.DB, r tinykv.Range) error {
	snapshot, err := db.NewSnapshot()
	if err != nil {
		return err
	}
	defer snapshot.Close()
	m.keys, m.seq = map[string]string{}, snapshot.Seq()
	for item, err := range snapshot.Scan(r) {
		if err != nil {
			return err
		}
		m.keys[string(item.Key)] = string(item.Value)
	}
	return nil
}

// follow keeps the copy up to date until ctx ends, whatever the pace of the writers.
func (m *mirrored) follow(ctx context.Context, db *tinykv.DB, r tinykv.Range, changed func()) error {
	for {
		for e, err := range db.Watch(ctx, r, m.seq) {
			if errors.Is(err, tinykv.ErrLagged) { // too slow: copy everything anew
				if err := m.start(db, r); err != nil {
					return err
				}
				break
			}
			if err != nil {
				return err
			}
			m.learn(e)
			if e.Last { // the copy is as the store was at that moment, not in the middle of a batch
				m.seq = e.Seq
				changed()
			}
		}
	}
}

func (m *mirrored) learn(e tinykv.Event) {
	switch e.Kind {
	case tinykv.EventPut:
		m.keys[string(e.Key)] = string(e.Value)
	case tinykv.EventDelete, tinykv.EventExpire:
		delete(m.keys, string(e.Key))
	case tinykv.EventDeleteRange:
		maps.DeleteFunc(m.keys, func(k, _ string) bool {
			return k >= string(e.Key) && (e.Upper == nil || k < string(e.Upper))
		})
	}
}

// A change feed: a copy of some keys in memory that follows the store.
func ExampleDB_Watch() {
	db, err := tinykv.Open("market", &tinykv.Options{FS: vfs.NewMem()})
	check(err)
	defer db.Close()
	check(db.Put([]byte("fruit/fig"), []byte("green")))

	fruit := tinykv.Prefix([]byte("fruit/"))
	m := &mirrored{}
	check(m.start(db, fruit))
	b := db.NewBatch()
	check(b.Put([]byte("fruit/fig"), []byte("ripe")))
	check(b.Put([]byte("fruit/kiwi"), []byte("sour")))
	check(b.Put([]byte("bread"), []byte("fresh"))) // is not watched
	check(db.Apply(b))
	check(db.DeleteRange([]byte("fruit/k"), []byte("fruit/l")))

	ctx, cancel := context.WithCancelCause(context.Background())
	enough := errors.New("seen enough")
	changes := 0
	err = m.follow(ctx, db, fruit, func() {
		for _, k := range slices.Sorted(maps.Keys(m.keys)) {
			fmt.Printf("%s is %s; ", k, m.keys[k])
		}
		fmt.Println("as of number", m.seq)
		if changes++; changes == 2 {
			cancel(enough)
		}
	})
	fmt.Println(err)
	// Output:
	// fruit/fig is ripe; fruit/kiwi is sour; as of number 3
	// fruit/fig is ripe; as of number 5
	// seen enough
}
