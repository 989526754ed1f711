package compaction

import (
	"math"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
)

func TestSurvival_ValuesThatHaveExpiredAreTombstones(t *testing.T) {
	for _, c := range []struct {
		what, entries string
		snapshots     []key.SeqNum
		deeper        []string
		flush         bool
		want          string
	}{
		{what: "before its time a value stays", entries: "a#1,SETEXP@101:x", want: "a#1,SETEXP"},
		{what: "then it goes", entries: "a#1,SETEXP@100:x b#1,SETEXP@99:x"},
		{what: "and what it hides", entries: "a#3,SETEXP@100:x a#2,SET:y a#1,SETEXP@101:z"},
		{what: "under a newer value too", entries: "a#3,SET:x a#2,SETEXP@100:y", want: "a#3,SET"},
		{what: "above a deeper table it hides on", entries: "a#3,SETEXP@100:x d#3,SETEXP@100:x", deeper: []string{"1[a-c]1"}, want: "a#3,DEL"},
		{what: "everything is deeper than a flush", entries: "a#3,SETEXP@100:x a#2,SET:y", flush: true, want: "a#3,DEL"},
		{what: "what a snapshot sees stays", entries: "a#3,SETEXP@100:x a#2,SET:y", snapshots: []key.SeqNum{2}, want: "a#3,DEL a#2,SET"},
		{what: "what all snapshots see goes", entries: "a#3,SETEXP@100:x a#2,SET:y", snapshots: []key.SeqNum{3}},
		{what: "a mark hides what is older", entries: "a#9,SETEXP@150:x b#10,SETEXP@150:x", want: "b#10,SETEXP"},
	} {
		rules := Rules{Snapshots: c.snapshots, Expired: func(expiry int64, seq key.SeqNum) bool {
			return expiry <= 100 || expiry <= 150 && seq <= 9 && strings.HasPrefix(c.what, "a mark")
		}}
		rule := newSurvival(rules, levels(t, c.deeper...))
		if c.flush {
			rule = newShadowing(rules)
		}
		var got []string
		err := rule.walk(&list{all: fulls(t, c.entries)}, func(*iterator.KV) error { return nil }, func(kv *iterator.KV) error {
			got = append(got, key.Internal{Stored: kv.Stored, Trailer: kv.Trailer}.String())
			if kv.Trailer.Kind() == key.KindDelete && len(kv.Value) > 0 {
				t.Errorf("%s: a tombstone with a value", c.what)
			}
			return nil
		})
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %s left %q, want %q (%v)", c.what, c.entries, got, c.want, err)
		}
	}
}

// expiring makes a table of 10 entries of which some expire.
func expiring(t *testing.T, text string, n uint64, least, greatest int64) *manifest.Table {
	t.Helper()
	out := parseTable(t, text)
	out.Expiring, out.LeastExpiry, out.GreatestExpiry = n, least, greatest
	return out
}

func TestPick_TablesAreDueOnceAGoodPartHasExpired(t *testing.T) {
	opts := Options{L0Tables: 4, BaseBytes: 1e6, Multiplier: 10, TableBytes: 100, Settled: key.MaxSeqNum}
	v := &manifest.Version{}
	v.Levels[6] = []*manifest.Table{expiring(t, "1[a-b]100", 10, 1000, 2000), parseTable(t, "2[c-d]100")}
	if next := NextExpiry(v, 0); next != 1301 {
		t.Errorf("due at %d, want the three tenths, a little later", next)
	}
	for _, c := range []struct {
		now  int64
		want string
	}{
		{0, "<nil>"},
		{1200, "<nil>"},
		{1301, "merge L6 1 -> L6"},
		{5000, "merge L6 1 -> L6"},
	} {
		opts.Now = c.now
		got := "<nil>"
		if p := Pick(v, opts, nil); p != nil {
			got = p.String()
		}
		if got != c.want {
			t.Errorf("at %d: %s, want %s", c.now, got, c.want)
		}
	}
	opts.Settled = 15
	if p := Pick(v, opts, nil); p != nil {
		t.Errorf("%v, although a snapshot sees the half of it", p)
	}
}

func TestPick_TablesWaitToGoWholeWhileTheyAreFew(t *testing.T) {
	opts := Options{L0Tables: 4, BaseBytes: 1e6, Multiplier: 10, TableBytes: 100, Settled: key.MaxSeqNum, Now: 1500}
	v := &manifest.Version{}
	v.Levels[6] = []*manifest.Table{expiring(t, "1[a-b]100", 10, 1000, 2000)}
	for range 20 {
		v.Levels[6] = append(v.Levels[6], expiring(t, "2[c-d]100", 10, 9000, 9999))
	}
	if p := Pick(v, opts, nil); p != nil {
		t.Errorf("%v, for a fortieth of all", p)
	}
	if next := NextExpiry(v, 1500); next != 2000 {
		t.Errorf("due at %d, want the end", next)
	}
}

func TestExpired_FindsTablesThatHideNothing(t *testing.T) {
	v := &manifest.Version{}
	v.Levels[0] = []*manifest.Table{
		expiring(t, "9[a-c]100", 10, 10, 20), // hides what is below
		expiring(t, "8[x-z]100", 10, 10, 20),
		expiring(t, "7[p-q]100", 10, 10, 21), // not yet
		expiring(t, "6[r-s]100", 9, 10, 20),  // holds something else
		expiring(t, "5[t-u]100d", 5, 10, 20), // beside tombstones
	}
	v.Levels[5] = []*manifest.Table{expiring(t, "3[a-b]100", 10, 10, 20)}
	v.Levels[6] = []*manifest.Table{expiring(t, "2[c-d]100", 10, 10, 20)}
	with := expiring(t, "1[e-f]100", 10, 10, 20)
	with.RangeDeletes = 1
	v.Levels[6] = append(v.Levels[6], with)
	var got []manifest.FileNum
	for _, d := range Expired(v, 20) {
		got = append(got, d.Num)
	}
	same(t, got, []manifest.FileNum{8, 5, 3, 2})
	if len(Expired(v, 0)) > 0 || NextExpiry(v, 21) != math.MaxInt64 || NextExpiry(v, 19) != 20 {
		t.Error(Expired(v, 0), NextExpiry(v, 21), NextExpiry(v, 19))
	}
}
