package enginetest

import (
	"errors"
	"strings"
	"sync"

	"github.com/tinykv/tinykv/bench/peers/engine"
)

func describes(f *fixture) {
	if f.engine.Name == "" || f.engine.Settings(f.config) == "" || f.engine.Durability(f.config) == "" {
		f.Fatal("an engine has a name, settings and a durability")
	}
	if f.engine.Module == "" && f.engine.Version == nil {
		f.Fatal("an engine that is no Go module has a version")
	}
}

func missing(f *fixture) {
	f.wantMissing("fig")
	f.put("fig", "ripe")
	f.wantMissing("fi")
	f.wantMissing("figs")
}

func overwrites(f *fixture) {
	f.put("fig", "green")
	f.want("fig", "green")
	f.put("fig", "ripe")
	f.want("fig", "ripe")
	f.put("fig", "r")
	f.want("fig", "r")
}

func emptyValue(f *fixture) {
	f.put("fig", "")
	f.want("fig", "")
}

func largeValues(f *fixture) {
	large, larger := strings.Repeat("fig ", 5_000), strings.Repeat("date ", 60_000)
	f.put("large", large)
	f.put("larger", larger)
	f.want("large", large)
	f.want("larger", larger)
}

func reusedSlices(f *fixture) {
	key, value := []byte("fig"), []byte("ripe")
	f.must(f.s.Put(key, value))
	copy(key, "FIG")
	copy(value, "RIPE")
	f.must(f.s.PutBatch([][]byte{key}, [][]byte{value}))
	copy(key, "...")
	copy(value, "....")
	f.want("fig", "ripe")
	f.want("FIG", "RIPE")
}

func deletes(f *fixture) {
	f.put("date", "dry")
	f.put("fig", "ripe")
	f.must(f.s.Delete([]byte("fig")))
	f.wantMissing("fig")
	f.want("date", "dry")
	f.must(f.s.Delete([]byte("fig")))
	f.must(f.s.Delete([]byte("never written")))
	f.put("fig", "again")
	f.want("fig", "again")
}

func batches(f *fixture) {
	f.put("fig", "green")
	keys := [][]byte{[]byte("fig"), []byte("date"), []byte("lime")}
	f.must(f.s.PutBatch(keys, [][]byte{[]byte("ripe"), []byte(""), []byte("sour")}))
	f.want("fig", "ripe")
	f.want("date", "")
	f.want("lime", "sour")
}

func growingBatches(f *fixture) {
	for _, n := range []int{1, 3, 500, 2, 2_000} {
		f.fillEven(n)
	}
	for i := 0; i < 2_000; i += 2 {
		f.want(numbered(i), valueOf(i))
		f.wantMissing(numbered(i + 1))
	}
}

func multiGets(f *fixture) {
	f.fillEven(1_000)
	f.put("empty", "")
	keys := [][]byte{[]byte("empty")}
	want := map[int]string{0: ""}
	for i := 999; i >= 0; i -= 3 {
		if i%2 == 0 {
			want[len(keys)] = valueOf(i)
		}
		keys = append(keys, []byte(numbered(i)))
	}
	last := -1
	f.must(f.s.MultiGet(keys, func(i int, value []byte) error {
		if v, there := want[i]; !there || v != string(value) || i <= last {
			f.Errorf("MultiGet shows %d, %s:%q, after %d; want %q", i, keys[i], value, last, v)
		}
		last = i
		delete(want, i)
		return nil
	}))
	if len(want) > 0 {
		f.Errorf("MultiGet leaves out %v", want)
	}
	f.must(f.s.MultiGet(nil, func(int, []byte) error { return errors.New("there is nothing to show") }))
}

func lookErrors(f *fixture) {
	stop := errors.New("stop")
	f.put("fig", "ripe")
	if _, err := f.s.Get([]byte("fig"), func([]byte) error { return stop }); !errors.Is(err, stop) {
		f.Errorf("Get returns %v, want the error of look", err)
	}
	err := f.s.MultiGet([][]byte{[]byte("fig")}, func(int, []byte) error { return stop })
	if !errors.Is(err, stop) {
		f.Errorf("MultiGet returns %v, want the error of each", err)
	}
	f.want("fig", "ripe")
}

func reopens(f *fixture) {
	f.fillEven(1_000)
	f.must(f.s.Delete([]byte(numbered(500))))
	f.put(numbered(502), "late")
	for range 2 {
		f.close()
		f.open()
		f.want(numbered(0), valueOf(0))
		f.want(numbered(998), valueOf(998))
		f.wantMissing(numbered(500))
		f.want(numbered(502), "late")
	}
}

func othersWrites(f *fixture) {
	f.put("fig", "green")
	f.want("fig", "green")
	other := f.session(1)
	f.must(other.Put([]byte("fig"), []byte("ripe")))
	f.want("fig", "ripe")
	f.must(other.Delete([]byte("fig")))
	f.wantMissing("fig")
	f.must(other.Close())
}

// atOnce has each session write keys of its own and read those of all; the race detector watches the adapter.
func atOnce(f *fixture) {
	const sessions, each = 4, 60
	f.fillEven(1_000)
	work := make([]engine.Session, sessions)
	for i := range work {
		work[i] = f.session(sessions)
	}
	var wg sync.WaitGroup
	for i, s := range work {
		wg.Go(func() { busy(f, s, i*each, each) })
	}
	wg.Wait()
	for _, s := range work {
		f.must(s.Close())
	}
	for i := range sessions * each {
		f.want(numbered(2*i+1), valueOf(2*i+1))
	}
}

// busy writes n odd keys, from the first on, and reads after each write.
func busy(f *fixture, s engine.Session, first, n int) {
	for i := first; i < first+n; i++ {
		odd := 2*i + 1
		if err := s.Put([]byte(numbered(odd)), []byte(valueOf(odd))); err != nil {
			f.Error(err)
			return
		}
		for _, k := range []int{odd, odd - 1} {
			found, err := s.Get([]byte(numbered(k)), func(v []byte) error {
				if string(v) != valueOf(k) {
					f.Errorf("%d is %q", k, v)
				}
				return nil
			})
			if err != nil || !found {
				f.Errorf("key %d: found %v, %v", k, found, err)
			}
		}
	}
}
