package simfs_test

import (
	"strings"
	"testing"

	"github.com/tinykv/tinykv/vfs/simfs"
)

// allows asks whether a power cut may leave a state, written as in scripts; why is the beginning of the answer no, or empty.
func (m *machine) allows(name, left, why string) {
	m.t.Helper()
	found := boot(m.t, "mkdir d")
	for word := range strings.FieldsSeq(left) {
		path, text, _ := strings.Cut(word, "=")
		found.run("create " + path + "; write " + path + " " + text)
	}
	err := m.Allows(found, "d")
	if (err == nil) != (why == "") || err != nil && !strings.Contains(err.Error(), why) {
		m.t.Errorf("%s: %v, want %q", name, err, why)
	}
}

func TestAllows_NamesAsTheirOperationsLeaveThem(t *testing.T) {
	m := boot(t, "mkdir d; create d/kept; create d/old; write d/old old; sync d/old; create d/gone; dirsync d;"+
		"create d/new; write d/new new; sync d/new; create d/raw; rename d/new d/old; remove d/gone")
	for _, c := range []struct{ name, left, why string }{
		{"what was synced", "d/kept= d/old=old d/gone=", ""},
		{"the newest", "d/kept= d/old=new d/raw=", ""},
		{"the last operation alone", "d/kept= d/old=old", ""},
		{"a file before its rename", "d/kept= d/old=old d/gone= d/new=new", ""},
		{"a rename without a creation after the renamed file's", "d/kept= d/old=new d/gone=", ""},

		{"a synced name is gone", "d/old=old d/gone=", "d/kept is gone"},
		{"a replaced name is gone", "d/kept= d/gone=", "d/old is gone"},
		{"a renamed file under both names", "d/kept= d/old=new d/gone= d/new=new", "whichever"},
		{"a name that nobody made", "d/kept= d/old=old d/gone= d/other=", "d/other is there"},
		{"a renamed file has lost what was synced", "d/kept= d/old=ne d/gone=", "d/old: 2 bytes are there, 3 were synced"},
	} {
		m.allows(c.name, c.left, c.why)
	}
}

func TestAllows_BytesSectorBySector(t *testing.T) {
	m := boot(t, "mkdir d; create d/a; write d/a k*600; sync d/a; dirsync d; write d/a w*1000; write d/a x*8")
	for _, c := range []struct{ name, left, why string }{
		{"what was synced", "d/a=k*600", ""},
		{"the newest", "d/a=k*600+w*1000+x*8", ""},
		{"the first operation", "d/a=k*600+w*1000", ""},
		{"the first sector of a write", "d/a=k*600+w*424", ""},
		{"the last sector of a write", "d/a=k*600+.*936+w*64", ""},
		{"the last operation alone", "d/a=k*600+.*1000+x*8", ""},
		{"a length without bytes", "d/a=k*600+.*1000", ""},
		{"the length of a part without bytes", "d/a=k*600+.*424", ""},
		{"an end anywhere", "d/a=k*600+w*301", ""},

		{"a synced byte is another", "d/a=k*599+x", "byte 599"},
		{"synced bytes are gone", "d/a=k*599", "599 bytes"},
		{"a byte that nobody wrote", "d/a=k*600+w*423+x", "byte 600"},
		{"half a sector", "d/a=k*600+.*936+w*24+.*40", "byte 1536"},
		{"too long", "d/a=k*600+w*1000+x*8+.*1", "1609 bytes"},
	} {
		m.allows(c.name, c.left, c.why)
	}
}

// A store across the end that a log had before can be there up to that end, or to some other, without all of the growth.
func TestAllows_AStoreUpToTheEndThatALogHad(t *testing.T) {
	m := boot(t, "mkdir d; log d/l; extend d/l 1000; sync d/l; dirsync d; extend d/l 2000; at d/l 900 B*200")
	for _, c := range []struct{ name, left, why string }{
		{"up to the synced end", "d/l=.*900+B*100", ""},
		{"all of it", "d/l=.*900+B*200+.*900", ""},
		{"its last sector", "d/l=.*1024+B*76+.*900", ""},
		{"up to another end", "d/l=.*900+B*105", ""},
		{"half of that", "d/l=.*900+B*50+.*50", "byte 900"},
		{"up to the synced end, but the log grew", "d/l=.*900+B*100+.*1000", "byte 900"},
	} {
		m.allows(c.name, c.left, c.why)
	}
}

func TestTorn_AFileMayEndAnywhereBehindItsSyncedEnd(t *testing.T) {
	m, ends := boot(t, "log l; extend l 1000; sync l; dirsync; extend l 2000; at l 900 B*200"), map[int]bool{}
	for _, image := range m.Images(simfs.Torn512, 1, 400) {
		left := content(t, image, "l")
		ends[len(left)] = true
	}
	if ends[999] || !ends[1000] || !ends[2000] || len(ends) < 10 {
		t.Errorf("%v", ends)
	}
}
