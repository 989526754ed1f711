package manifest

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/vfs/simfs"
	"github.com/tinykv/tinykv/wal"
)

func TestCurrent_HasThisText(t *testing.T) {
	open := current{store: testStore, manifest: 7}
	sealed := current{store: testStore, manifest: 7, seal: &wal.Seal{Length: 4321, Checksum: 0x0123456789abcdef}}
	golden(t, "current.txt", string(open.encode())+string(sealed.encode()))
}

func TestCurrent_RoundTrip(t *testing.T) {
	for _, c := range []current{
		{store: testStore, manifest: 7},
		{store: 0, manifest: 0},
		{store: 1<<64 - 1, manifest: MaxFileNum, seal: &wal.Seal{Length: 1<<63 - 1, Checksum: 1<<64 - 1}},
		{store: 1, manifest: 2, seal: &wal.Seal{}},
	} {
		text := c.encode()
		got, err := decodeCurrent(text)
		if err != nil || string(got.encode()) != string(text) || len(text) > maxCurrentLen {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

func TestCurrent_EveryFlippedBitIsFound(t *testing.T) {
	for _, c := range []current{
		{store: testStore, manifest: 7},
		{store: testStore, manifest: 7, seal: &wal.Seal{Length: 4321, Checksum: 0x0123456789abcdef}},
	} {
		for bit := range len(c.encode()) * 8 {
			text := c.encode()
			text[bit/8] ^= 1 << (bit % 8)
			if got, err := decodeCurrent(text); !errors.Is(err, corrupt.ErrCorrupt) {
				t.Errorf("bit %d of %q: %+v, %v", bit, text, got, err)
			}
		}
	}
}

func TestCurrent_EveryTruncationAndEveryExtensionIsFound(t *testing.T) {
	text := (&current{store: testStore, manifest: 7}).encode()
	for n := range text {
		if _, err := decodeCurrent(text[:n]); !errors.Is(err, corrupt.ErrCorrupt) {
			t.Errorf("%q: %v", text[:n], err)
		}
	}
	for _, more := range []string{" ", "\n", "\x00", string(text), strings.Repeat("x", 1000)} {
		if _, err := decodeCurrent([]byte(string(text) + more)); !errors.Is(err, corrupt.ErrCorrupt) {
			t.Errorf("%q: %v", string(text)+more, err)
		}
	}
}

// withSum adds the checksum line to a text.
func withSum(text string) []byte {
	return fmt.Appendf([]byte(text), "checksum %016x\n", xxhash.Sum64String(text))
}

func TestCurrent_OfANewerVersionIsTooNewAndNotCorrupt(t *testing.T) {
	for _, text := range []string{
		"tinykv 2\nstore 00c0ffee00c0ffee\nmanifest MANIFEST-000007\nopen\n",
		"tinykv 2\nsomething else\n",
		"tinykv 999\n",
	} {
		if _, err := decodeCurrent(withSum(text)); !errors.Is(err, corrupt.ErrTooNew) || errors.Is(err, corrupt.ErrCorrupt) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestCurrent_AcceptsNothingButWhatItWrites(t *testing.T) {
	for _, text := range []string{
		"",
		"tinykv 0\nstore 00c0ffee00c0ffee\nmanifest MANIFEST-000007\nopen\n",
		"tinykv 01\nstore 00c0ffee00c0ffee\nmanifest MANIFEST-000007\nopen\n",
		"tinykv -1\nstore 00c0ffee00c0ffee\nmanifest MANIFEST-000007\nopen\n",
		"tinykv 1\nstore c0ffee\nmanifest MANIFEST-000007\nopen\n",
		"tinykv 1\nstore 00C0FFEE00c0ffee\nmanifest MANIFEST-000007\nopen\n",
		"tinykv 1\nstore 00c0ffee00c0ffee\nmanifest MANIFEST-7\nopen\n",
		"tinykv 1\nstore 00c0ffee00c0ffee\nmanifest ../MANIFEST-000007\nopen\n",
		"tinykv 1\nstore 00c0ffee00c0ffee\nmanifest 000007.sst\nopen\n",
		"tinykv 1\nstore 00c0ffee00c0ffee\nmanifest CURRENT\nopen\n",
		"tinykv 1\nstore 00c0ffee00c0ffee\nmanifest MANIFEST-000007\nclosed\n",
		"tinykv 1\nstore 00c0ffee00c0ffee\nmanifest MANIFEST-000007\nsealed 1 2\n",
		"tinykv 1\nstore 00c0ffee00c0ffee\nmanifest MANIFEST-000007\nsealed\n",
		"tinykv 1\nstore 00c0ffee00c0ffee\nmanifest MANIFEST-000007\n",
		"tinykv 1\nstore 00c0ffee00c0ffee\nmanifest MANIFEST-000007\nopen\nopen\n",
		"tinykv 1\r\nstore 00c0ffee00c0ffee\r\nmanifest MANIFEST-000007\r\nopen\r\n",
		"\n\n\n\n",
	} {
		if c, err := decodeCurrent(withSum(text)); !errors.Is(err, corrupt.ErrCorrupt) {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
}

func TestReadCurrent_WithoutTheFileThereIsNoStore(t *testing.T) {
	fs := simfs.New()
	must(t, fs.MkdirAll(dir))
	if c, err := readCurrent(fs, dir); c != nil || err != nil {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestReadCurrent_OfALongFileReadsOnlyItsBeginning(t *testing.T) {
	s := newStore(t)
	must(t, s.begin(7, empty()))
	change(t, s.sim, CurrentName, func(data []byte) []byte { return append(data, make([]byte, 1<<20)...) })
	if _, err := readCurrent(s.sim, dir); !errors.Is(err, corrupt.ErrCorrupt) || len(err.Error()) > 2000 {
		t.Errorf("%v", err)
	}
}

func TestReadCurrent_NamesTheFileInEveryError(t *testing.T) {
	for _, text := range [][]byte{[]byte("rubbish"), withSum("tinykv 2\n")} {
		s := newStore(t)
		must(t, s.begin(7, empty()))
		change(t, s.sim, CurrentName, func([]byte) []byte { return text })
		if _, err := readCurrent(s.sim, dir); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, CurrentName)) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestWriteCurrent_SyncsTheTextBeforeTheNameAndTheNameBeforeItReturns(t *testing.T) {
	s := newStore(t)
	must(t, s.begin(7, empty()))
	from := s.sim.Ops()
	must(t, writeCurrent(s.sim, dir, &current{store: testStore, manifest: 8}))
	var ops []string
	for _, op := range s.sim.Trace()[from:] {
		_, line, _ := strings.Cut(op.String(), " ")
		ops = append(ops, line)
	}
	same(t, strings.Join(ops, "; "),
		"create CURRENT.tmp; write CURRENT.tmp off=0 n=88; sync CURRENT.tmp; rename CURRENT.tmp -> CURRENT; dirsync db")
}

func TestWriteCurrent_ReplacesATempFileLeftBehind(t *testing.T) {
	s := newStore(t)
	f, err := s.sim.Create(filepath.Join(dir, currentTempName))
	must(t, err)
	_, err = f.Write([]byte("half of a"))
	must(t, err)
	must(t, s.begin(7, empty()))
	same(t, load(s.sim), describe(empty()))
}
