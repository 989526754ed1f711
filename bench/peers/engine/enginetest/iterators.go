package enginetest

import "github.com/tinykv/tinykv/bench/peers/engine"

func emptyIterator(f *fixture) {
	it := f.iterator(engine.Plan{Entries: 1})
	if it.First() || it.SeekGE([]byte("a")) {
		f.Error("there is an entry in an empty store")
	}
	f.must(it.Close())
	it = f.iterator(engine.Plan{Reverse: true, Entries: 1})
	if it.Last() {
		f.Error("there is a last entry in an empty store")
	}
	f.must(it.Close())
}

func forward(f *fixture) {
	f.fillEven(2_000)
	for _, entries := range []int{1, 10, 1_000} {
		it := f.iterator(engine.Plan{Entries: entries})
		i := 0
		for ok := it.First(); ok; ok = it.Next() {
			f.wantAt(it, numbered(i), valueOf(i))
			i += 2
		}
		if i != 2_000 {
			f.Errorf("forward ends before %d", i)
		}
		f.must(it.Close())
	}
}

func backward(f *fixture) {
	f.fillEven(2_000)
	it := f.iterator(engine.Plan{Reverse: true, Entries: 1_000})
	i := 1_998
	for ok := it.Last(); ok; ok = it.Prev() {
		f.wantAt(it, numbered(i), valueOf(i))
		i -= 2
	}
	if i != -2 {
		f.Errorf("backward ends behind %d", i)
	}
	f.must(it.Close())
}

func seeks(f *fixture) {
	f.fillEven(2_000)
	it := f.iterator(engine.Plan{Entries: 100})
	for _, i := range []int{0, 1, 998, 997, 3, 1_996, 1_995} {
		at := i + i%2
		if !it.SeekGE([]byte(numbered(i))) {
			f.Fatalf("SeekGE(%d) finds nothing", i)
		}
		f.wantAt(it, numbered(at), valueOf(at))
		if !it.Next() {
			f.Fatalf("nothing comes after %d", at)
		}
		f.wantAt(it, numbered(at+2), valueOf(at+2))
	}
	if it.SeekGE([]byte(numbered(1_999))) {
		f.Error("SeekGE finds an entry behind the last")
	}
	if !it.SeekGE([]byte("a")) {
		f.Error("SeekGE finds nothing from before the first")
	}
	f.must(it.Close())
}

func snapshots(f *fixture) {
	f.fillEven(1_000)
	it := f.iterator(engine.Plan{Entries: 500})
	defer func() { f.must(it.Close()) }()
	writer := f.session(1)
	f.must(writer.Put([]byte(numbered(1)), []byte("new")))
	f.must(writer.Delete([]byte(numbered(2))))
	f.must(writer.Close())
	i := 0
	for ok := it.First(); ok; ok = it.Next() {
		f.wantAt(it, numbered(i), valueOf(i))
		i += 2
	}
	if i != 1_000 {
		f.Errorf("the iterator ends before %d", i)
	}
}

func manyIterators(f *fixture) {
	f.fillEven(1_000)
	for i := range 100 {
		f.put(numbered(2*i), "changed")
		it := f.iterator(engine.Plan{Entries: 1})
		if !it.SeekGE([]byte(numbered(2 * i))) {
			f.Fatalf("SeekGE finds nothing at %d", i)
		}
		f.wantAt(it, numbered(2*i), "changed")
		f.must(it.Close())
	}
}
