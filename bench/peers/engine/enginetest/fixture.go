package enginetest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/tinykv/tinykv/bench/peers/engine"
)

// fixture is an open store with a session, and shorter words for what tests do with it.
type fixture struct {
	*testing.T
	engine engine.Engine
	config engine.Config
	dir    string
	store  engine.Store
	s      engine.Session
}

func newFixture(t *testing.T, e engine.Engine, c engine.Config) *fixture {
	f := &fixture{T: t, engine: e, config: c, dir: t.TempDir()}
	f.open()
	t.Cleanup(f.close)
	return f
}

func (f *fixture) open() {
	f.Helper()
	store, err := f.engine.Open(f.dir, f.config)
	f.must(err)
	f.store = store
	f.s = f.session(1)
}

func (f *fixture) session(writers int) engine.Session {
	f.Helper()
	s, err := f.store.NewSession(writers)
	f.must(err)
	return s
}

// close closes the store unless the test could not open it again.
func (f *fixture) close() {
	f.Helper()
	if f.store == nil {
		return
	}
	f.must(f.s.Close())
	f.must(f.store.Close())
	f.store = nil
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) put(key, value string) {
	f.Helper()
	f.must(f.s.Put([]byte(key), []byte(value)))
}

// get returns a copy of a value, and whether the key was shown exactly when it was said to be there.
func (f *fixture) get(key string) (value string, found bool) {
	f.Helper()
	shown := 0
	found, err := f.s.Get([]byte(key), func(v []byte) error {
		shown, value = shown+1, string(v)
		return nil
	})
	f.must(err)
	if found != (shown == 1) || shown > 1 {
		f.Fatalf("Get(%q) says found %v, and looked %d times", key, found, shown)
	}
	return value, found
}

func (f *fixture) want(key, value string) {
	f.Helper()
	got, found := f.get(key)
	if !found || got != value {
		f.Fatalf("Get(%q) = %.40q (%d bytes), found %v; want %.40q (%d bytes)", key, got, len(got), found, value, len(value))
	}
}

func (f *fixture) wantMissing(key string) {
	f.Helper()
	if value, found := f.get(key); found {
		f.Fatalf("Get(%q) = %.40q; want it missing", key, value)
	}
}

func (f *fixture) iterator(p engine.Plan) engine.Iterator {
	f.Helper()
	it, err := f.s.NewIterator(p)
	f.must(err)
	return it
}

// wantAt checks the entry that an iterator stands on.
func (f *fixture) wantAt(it engine.Iterator, key, value string) {
	f.Helper()
	v, err := it.Value()
	f.must(err)
	if !bytes.Equal(it.Key(), []byte(key)) || !bytes.Equal(v, []byte(value)) {
		f.Fatalf("iterator at %q:%.40q, want %q:%.40q", it.Key(), v, key, value)
	}
}

// numbered is key number i; keys order as numbers do.
func numbered(i int) string { return fmt.Sprintf("key%013d", i) }

// valueOf is the value that a numbered key has in most tests.
func valueOf(i int) string { return fmt.Sprintf("value of %d", i) }

// fillEven writes the numbered keys below n, even ones only, a few hundred in a batch.
func (f *fixture) fillEven(n int) {
	f.Helper()
	const batch = 250
	for first := 0; first < n; first += 2 * batch {
		var keys, values [][]byte
		for i := first; i < min(n, first+2*batch); i += 2 {
			keys, values = append(keys, []byte(numbered(i))), append(values, []byte(valueOf(i)))
		}
		f.must(f.s.PutBatch(keys, values))
	}
}
