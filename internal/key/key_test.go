package key

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/quick"

	mathrand "math/rand"
)

// k reads the notation fig#12,SET.
func k(t *testing.T, text string) Internal {
	t.Helper()
	parsed, _, err := ParseInternal(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// stored returns the stored form of a user key in keyspace 0.
func stored(user string) []byte { return AppendStored(nil, 0, []byte(user)) }

// near is a pair of byte strings that agree in a random number of first bytes and are drawn from few
// letters, so that equal, adjacent and prefix keys are common.
type near struct{ shared, a, b []byte }

func (near) Generate(r *mathrand.Rand, size int) reflect.Value {
	letters := []byte{0, 1, 'a', 'b', 0xfe, 0xff}
	draw := func(n int) []byte {
		out := make([]byte, r.Intn(n+1))
		for i := range out {
			out[i] = letters[r.Intn(len(letters))]
		}
		return out
	}
	n := near{shared: draw(20), a: draw(12), b: draw(12)}
	n.a, n.b = slices.Concat(n.shared, n.a), slices.Concat(n.shared, n.b)
	return reflect.ValueOf(n)
}

// check runs a property on many pairs, the same ones each time.
func check(t *testing.T, property func(near) bool) {
	t.Helper()
	config := &quick.Config{MaxCount: 20_000, Rand: mathrand.New(mathrand.NewSource(1))}
	if err := quick.Check(property, config); err != nil {
		t.Error(err)
	}
}

func TestCompare_OrdersByStoredKeyAndThenNewestFirst(t *testing.T) {
	ordered := []string{
		"#9,SET", "#9,DEL", "#1,SET",
		"a#7,SET", "a#3,SET", "a#3,DEL", "a#2,DEL",
		"a\x00#100,SET",
		"aa#1,DEL",
		"b#72057594037927935,SET", "b#0,SET",
		"\xff#5,SET", "\xff\xff#5,SET",
	}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := Compare(k(t, a), k(t, b)), cmpInt(i, j); got != want {
				t.Errorf("Compare(%q, %q) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func cmpInt(a, b int) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func TestSeekTrailer_SortsBehindLaterEntriesAndBeforeTheOthers(t *testing.T) {
	at := SeekTrailer(12)
	for _, c := range []struct {
		entry  Trailer
		behind bool
	}{
		{MakeTrailer(13, KindDelete), false},
		{MakeTrailer(12, KindSet), true},
		{MakeTrailer(12, KindDelete), true},
		{MakeTrailer(11, KindSet), true},
		{MakeTrailer(0, KindDelete), true},
	} {
		if got := CompareTrailers(at, c.entry) < 0; got != c.behind {
			t.Errorf("entry %d,%v sorts behind a seek at 12: %v, want %v", c.entry.Seq(), c.entry.Kind(), got, c.behind)
		}
	}
}

func TestSeekTrailer_AtTheLargestSequenceSeesEverything(t *testing.T) {
	if SeekTrailer(MaxSeqNum) != MaxTrailer {
		t.Errorf("SeekTrailer(MaxSeqNum) = %x, want MaxTrailer", SeekTrailer(MaxSeqNum))
	}
}

func TestTrailer_KeepsSequenceNumberAndKind(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		seq, kind := SeqNum(rng.Uint64())&MaxSeqNum, Kind(rng.Uint32())
		if tr := MakeTrailer(seq, kind); tr.Seq() != seq || tr.Kind() != kind {
			t.Fatalf("MakeTrailer(%d, %d) gives %d, %d", seq, kind, tr.Seq(), tr.Kind())
		}
	}
}

func TestTrailer_ExtremesEncloseEveryEntry(t *testing.T) {
	for _, entry := range []Trailer{MakeTrailer(1, KindDelete), MakeTrailer(MaxSeqNum-1, KindSet)} {
		if CompareTrailers(MaxTrailer, entry) >= 0 || CompareTrailers(entry, MinTrailer) >= 0 {
			t.Errorf("%x does not lie between MaxTrailer and MinTrailer", entry)
		}
	}
}

func TestKind_OneToFiveAreValid(t *testing.T) {
	for v := range 256 {
		kind := Kind(v)
		if got, want := kind.Valid(), kind >= 1 && kind <= 5; got != want {
			t.Errorf("kind %d is valid: %v", v, got)
		}
	}
}

func TestClone_OwnsItsMemory(t *testing.T) {
	original := k(t, "fig#12,SET")
	clone := original.Clone()
	original.Stored[1] = 'X'
	if clone.String() != "fig#12,SET" {
		t.Errorf("clone became %v when its original changed", clone)
	}
}

func TestStored_IsKeyspaceThenUserKey(t *testing.T) {
	for _, c := range []struct {
		space Space
		want  string
	}{
		{0, "00 666967"},
		{1, "01 666967"},
		{127, "7f 666967"},
		{128, "8001 666967"},
		{MaxSpace, "ffffff7f 666967"},
	} {
		got := AppendStored(nil, c.space, []byte("fig"))
		if n := len(got) - 3; fmt.Sprintf("%x %x", got[:n], got[n:]) != c.want {
			t.Errorf("space %d: % x, want %s", c.space, got, c.want)
		}
	}
}

func TestStored_SplitsIntoWhatItWasMadeOf(t *testing.T) {
	long := bytes.Repeat([]byte{0xff}, MaxUserLen)
	for _, space := range []Space{0, 1, 127, 128, 1<<14 - 1, 1 << 14, 1<<21 - 1, 1 << 21, MaxSpace} {
		for _, user := range [][]byte{nil, {0}, []byte("fig"), long} {
			s := AppendStored([]byte("before"), space, user)[len("before"):]
			gotSpace, gotUser, ok := SplitStored(s)
			if !ok || gotSpace != space || !bytes.Equal(gotUser, user) {
				t.Errorf("space %d, %d bytes: split into space %d, %d bytes, %v", space, len(user), gotSpace, len(gotUser), ok)
			}
			if len(s) > MaxStoredLen {
				t.Errorf("space %d, %d bytes: stored key of %d bytes is longer than MaxStoredLen", space, len(user), len(s))
			}
		}
	}
}

func TestSplitStored_RefusesWhatIsNoStoredKey(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing":                        {},
		"a keyspace cut short":           {0x80},
		"a keyspace in too many bytes":   {0x81, 0x00, 'a'},
		"zero in two bytes":              {0x80, 0x00},
		"a keyspace above MaxSpace":      {0x80, 0x80, 0x80, 0x80, 0x01},
		"a keyspace above 64 bits":       bytes.Repeat([]byte{0xff}, 12),
		"a user key of a byte too much":  make([]byte, 1+MaxUserLen+1),
		"the same behind a longer space": append([]byte{0xff, 0xff, 0xff, 0x7f}, make([]byte, MaxUserLen+1)...),
	} {
		if _, _, ok := SplitStored(b); ok {
			t.Errorf("%s passes for a stored key", name)
		}
	}
}

func TestStored_OrdersByKeyspaceInRuns(t *testing.T) {
	// Spaces do not order by number, but all keys of one lie together.
	spaces := []Space{0, 1, 2, 127, 128, 129, 255, 256, 16383, 16384, MaxSpace - 1, MaxSpace}
	var all [][]byte
	for _, space := range spaces {
		for _, user := range []string{"", "\x00", "a", "\xff\xff\xff\xff"} {
			all = append(all, AppendStored(nil, space, []byte(user)))
		}
	}
	slices.SortFunc(all, bytes.Compare)
	left := map[Space]bool{}
	last := Space(0)
	for _, s := range all {
		space, _, _ := SplitStored(s)
		if space != last {
			left[last], last = true, space
		}
		if left[space] {
			t.Fatalf("keys of space %d are scattered", space)
		}
	}
}

func TestSpaceEnd_IsAboveItsSpaceAndNotAboveTheNext(t *testing.T) {
	spaces := []Space{0, 1, 126, 127, 128, 129, 255, 256, 16383, 16384, 1<<21 - 1, 1 << 21, MaxSpace - 1, MaxSpace}
	for _, space := range spaces {
		end := SpaceEnd(space)
		for _, user := range [][]byte{nil, {0xff}, bytes.Repeat([]byte{0xff}, MaxUserLen)} {
			if s := AppendStored(nil, space, user); bytes.Compare(s, end) >= 0 {
				t.Errorf("space %d: its end % x is not above % x", space, end, s[:min(8, len(s))])
			}
		}
		for _, other := range spaces {
			first := AppendStored(nil, other, nil)
			if bytes.Compare(first, AppendStored(nil, space, nil)) > 0 && bytes.Compare(end, first) > 0 {
				t.Errorf("space %d ends at % x, behind the first key of space %d", space, end, other)
			}
		}
	}
}

func TestHead_OfUnequalHeadsOrdersAsTheKeysDo(t *testing.T) {
	check(t, func(n near) bool {
		skip := len(n.shared)
		a, b := Head(n.a, skip), Head(n.b, skip)
		return a == b || a < b == (bytes.Compare(n.a, n.b) < 0)
	})
}

func TestHead_OfOrderedKeysNeverDescends(t *testing.T) {
	check(t, func(n near) bool {
		a, b := Head(n.a, len(n.shared)), Head(n.b, len(n.shared))
		return bytes.Compare(n.a, n.b) > 0 || a <= b
	})
}

func TestHead_TakesEightBytesPaddedWithZeros(t *testing.T) {
	for _, c := range []struct {
		key  string
		skip int
		want uint64
	}{
		{"", 0, 0},
		{"a", 0, 0x61 << 56},
		{"abcdefg", 0, 0x6162636465666700},
		{"abcdefgh", 0, 0x6162636465666768},
		{"abcdefghi", 0, 0x6162636465666768},
		{"abcdefghi", 1, 0x6263646566676869},
		{"abcdefghi", 7, 0x6869 << 48},
		{"abc", 3, 0},
		{"abc", 4, 0},
	} {
		if got := Head([]byte(c.key), c.skip); got != c.want {
			t.Errorf("Head(%q, %d) = %016x, want %016x", c.key, c.skip, got, c.want)
		}
	}
}

func TestCommonPrefix_EqualsTheNaiveOne(t *testing.T) {
	check(t, func(n near) bool {
		naive := 0
		for naive < len(n.a) && naive < len(n.b) && n.a[naive] == n.b[naive] {
			naive++
		}
		return CommonPrefix(n.a, n.b) == naive && CommonPrefix(n.b, n.a) == naive && CommonPrefix(n.a, n.a) == len(n.a)
	})
}

func TestAppendSeparator_LiesAtOrBehindTheFirstAndBeforeTheSecond(t *testing.T) {
	check(t, func(n near) bool {
		a, b := n.a, n.b
		switch bytes.Compare(a, b) {
		case 0:
			return true
		case 1:
			a, b = b, a
		}
		s := AppendSeparator(nil, a, b)
		return bytes.Compare(a, s) <= 0 && bytes.Compare(s, b) < 0 && len(s) <= len(a)
	})
}

func TestAppendSeparator_IsShortWhereThereIsRoom(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"apple pie", "fig", "b"},
		{"apple", "apply", "applf"},
		{"apple", "apricot", "apq"},
		{"a", "b", "a"},
		{"a", "a\x00", "a"},
		{"a\xff", "b", "a\xff"},
		{"abc", "abe", "abd"},
		{"", "a", ""},
	} {
		if got := AppendSeparator(nil, []byte(c.a), []byte(c.b)); string(got) != c.want {
			t.Errorf("between %q and %q: %q, want %q", c.a, c.b, got, c.want)
		}
	}
}

func TestAppendSeparator_LeavesWhatWasThere(t *testing.T) {
	if got := AppendSeparator([]byte("x"), []byte("apple"), []byte("fig")); string(got) != "xb" {
		t.Errorf("got %q, want %q", got, "xb")
	}
}

func TestSpaces_UvarintIsNeverAPrefixOfAnother(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 10_000 {
		a := binary.AppendUvarint(nil, rng.Uint64N(uint64(MaxSpace)+1)>>rng.IntN(28))
		b := binary.AppendUvarint(nil, rng.Uint64N(uint64(MaxSpace)+1)>>rng.IntN(28))
		if !bytes.Equal(a, b) && bytes.HasPrefix(a, b) {
			t.Fatalf("% x begins with % x", a, b)
		}
	}
}

func TestSpace_LenIsWhatItTakesInAStoredKey(t *testing.T) {
	for _, space := range []Space{0, 1, 0x7f, 0x80, 1<<14 - 1, 1 << 14, 1<<21 - 1, 1 << 21, MaxSpace, MaxSpace + 1} {
		if got, want := space.Len(), len(AppendStored(nil, space, nil)); got != want {
			t.Errorf("keyspace %d: %d bytes, want %d", space, got, want)
		}
	}
}
