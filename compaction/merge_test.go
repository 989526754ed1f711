package compaction

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/iterator"
	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/internal/rangedel"
	"github.com/tinykv/tinykv/manifest"
)

// full is an entry with its value as it is stored.
type full struct {
	key.Internal
	value []byte
}

// fulls reads entries in the notation of package key, a space between two.
func fulls(t *testing.T, text string) (all []full) {
	t.Helper()
	for _, field := range strings.Fields(text) {
		k, v, err := key.ParseInternal(field)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, full{k, v})
	}
	return all
}

func (f full) String() string {
	text := f.Internal.String()
	switch f.Trailer.Kind() {
	case key.KindDelete:
		return text
	case key.KindMerge:
		reach, operand, _ := key.SplitOperand(f.value)
		if reach > 0 {
			text += "-" + strconv.FormatUint(uint64(reach), 10)
		}
		return text + ":" + string(operand)
	default:
		return text + ":" + string(f.value)
	}
}

// list is an Entries. It gives out memory that it scribbles over, as readers of files may.
type list struct {
	all []full
	at  int
	kv  iterator.KV
}

func (l *list) First() *iterator.KV { return l.Next() }

func (l *list) Next() *iterator.KV {
	for _, b := range [][]byte{l.kv.Stored, l.kv.Value} {
		for i := range b {
			b[i] = '!'
		}
	}
	if l.at == len(l.all) {
		return nil
	}
	f := l.all[l.at]
	l.at++
	l.kv = iterator.KV{Stored: slices.Clone(f.Stored), Trailer: f.Trailer, Value: slices.Clone(f.value)}
	return &l.kv
}

func (l *list) Err() error { return nil }

// concat is an operator that shows the order of its operands, and fails at a bang.
func concat(older, newer []byte) ([]byte, error) {
	if slices.Contains(newer, '!') {
		return nil, errors.New("bang")
	}
	return append(older, newer...), nil
}

// walked returns what a rule leaves of entries.
func walked(t *testing.T, rule *survival, in []full) string {
	t.Helper()
	var out []string
	taken := 0
	err := rule.walk(&list{all: in}, func(*iterator.KV) error { taken++; return nil }, func(kv *iterator.KV) error {
		out = append(out, full{kv.Key().Clone(), slices.Clone(kv.Value)}.String())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if taken > len(in) {
		t.Errorf("told of %d entries, there are %d", taken, len(in))
	}
	return strings.Join(out, " ")
}

func TestMerge_OperandsOfAStripeBecomeOne(t *testing.T) {
	deep := [][]*manifest.Table{{{Smallest: fulls(t, "a#1,SET")[0].Internal, Largest: fulls(t, "z#1,SET")[0].Internal}}}
	for _, c := range []struct {
		name, in, want string
		snapshots      []key.SeqNum
		ranges         string // of tombstones on all keys
		flush, deeper  bool
	}{
		{name: "on a value", in: "a#9,MERGE:y a#8,MERGE:x a#7,SET:v a#6,SET:u", want: "a#9,SET:vxy"},
		{name: "on a tombstone", in: "a#9,MERGE:y a#8,DEL a#7,SET:v", want: "a#9,SET:y"},
		{name: "on nothing", in: "a#9,MERGE:y a#8,MERGE:x b#1,SET:b", want: "a#9,SET:xy b#1,SET:b"},
		{name: "alone on nothing", in: "a#9,MERGE:y", want: "a#9,SET:y"},
		{name: "on what may lie deeper", in: "a#9,MERGE:y a#7,MERGE:x", deeper: true, want: "a#9,MERGE-2:xy"},
		{name: "in a flush", in: "a#9,MERGE:y a#7,MERGE-3:x", flush: true, want: "a#9,MERGE-5:xy"},
		{name: "alone in a flush", in: "a#9,MERGE-2:y", flush: true, want: "a#9,MERGE-2:y"},
		{name: "what an operand has in it does not count again", in: "a#9,MERGE-2:xy a#7,MERGE:x a#5,SET:v", want: "a#9,SET:vxy"},
		{name: "what an operand has in it ends at its reach", in: "a#9,MERGE-1:y a#8,MERGE:? a#7,MERGE:x a#5,SET:v", want: "a#9,SET:vxy"},
		{name: "stripes stay apart", in: "a#9,MERGE:z a#8,MERGE:y a#5,MERGE:x a#4,SET:v", snapshots: []key.SeqNum{6}, want: "a#9,MERGE-1:yz a#5,SET:vx"},
		{name: "a tombstone in the stripe before", in: "a#9,MERGE:z a#5,DEL a#4,SET:v", snapshots: []key.SeqNum{6}, want: "a#9,MERGE:z"},
		{name: "a value that a snapshot sees", in: "a#9,MERGE:z a#5,SET:v a#4,SET:u", snapshots: []key.SeqNum{6}, want: "a#9,MERGE:z a#5,SET:v"},
		{name: "under a range tombstone", in: "a#9,MERGE:z a#8,SET:v", ranges: "10", want: ""},
		{name: "a range tombstone in between", in: "a#9,MERGE:z a#7,MERGE:y a#5,SET:v", ranges: "8", deeper: true, want: "a#9,SET:z"},
		{name: "a range tombstone below", in: "a#9,MERGE:z a#7,MERGE:y a#5,SET:v", ranges: "6", deeper: true, want: "a#9,SET:yz"},
		{name: "on a value that expires", in: "a#9,MERGE:y a#8,MERGE:x a#7,SETEXP@100:v a#6,SET:u", want: "a#9,MERGE-1:xy a#7,SETEXP:" + "d\x00\x00\x00\x00\x00\x00\x00" + "v"},
		{name: "an operator that fails", in: "a#9,MERGE:z a#8,MERGE:! a#7,MERGE:x a#6,SET:v a#5,SET:u", want: "a#9,MERGE:z a#8,MERGE:! a#7,MERGE:x a#6,SET:v"},
		{name: "an operand that has in it what a snapshot sees", in: "a#9,MERGE-1:xy a#8,MERGE:x a#7,SET:v", snapshots: []key.SeqNum{8}, want: "a#9,MERGE-1:xy a#8,MERGE:x a#7,SET:v"},
		{name: "other kinds", in: "a#9,SET:v a#8,MERGE:x b#2,DEL c#1,SET:w", want: "a#9,SET:v c#1,SET:w"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules := Rules{Snapshots: c.snapshots, Merge: concat}
			rule := newSurvival(rules, nil)
			if c.deeper {
				rule = newSurvival(rules, slices.Clone(deep))
			}
			if c.flush {
				rule = newShadowing(rules)
			}
			if c.ranges != "" {
				seq, _ := strconv.ParseUint(c.ranges, 10, 56)
				rule.ranges = rangedel.List{{Lower: []byte{0}, Upper: []byte{1}, Seqs: []key.SeqNum{key.SeqNum(seq)}}}
			}
			if got := walked(t, rule, fulls(t, c.in)); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestMerge_WithoutAnOperatorOperandsStayApart(t *testing.T) {
	in := "a#9,MERGE:y a#8,MERGE:x a#7,SET:v"
	if got := walked(t, newSurvival(Rules{}, nil), fulls(t, in)); got != "a#9,MERGE:y" {
		t.Errorf("got %q", got)
	}
}

// valueAt returns what a reader at a sequence number sees of a user key in entries and range tombstones.
func valueAt(all []full, ranges rangedel.List, stored []byte, seq key.SeqNum) string {
	var of []full
	for _, f := range all {
		if string(f.Stored) == string(stored) && f.Trailer.Seq() <= seq {
			of = append(of, f)
		}
	}
	slices.SortFunc(of, func(a, b full) int { return key.Compare(a.Internal, b.Internal) })
	deleted := ranges.Newest(stored, seq)
	value, low, found := "", seq+1, false
	for _, f := range of {
		switch {
		case f.Trailer.Seq() >= low:
			continue
		case f.Trailer.Seq() < deleted:
			return ifFound(value, found)
		}
		switch f.Trailer.Kind() {
		case key.KindMerge:
			reach, operand, _ := key.SplitOperand(f.value)
			value, low, found = string(operand)+value, f.Trailer.Seq()-reach, true
		case key.KindSet:
			return string(f.value) + value
		default:
			return ifFound(value, found)
		}
	}
	return ifFound(value, found)
}

func ifFound(value string, found bool) string {
	if found {
		return value
	}
	return "none"
}

// lastOf returns the last entry of a key.
func lastOf(all []full, stored []byte) *full {
	for i := len(all) - 1; i >= 0; i-- {
		if string(all[i].Stored) == string(stored) {
			return &all[i]
		}
	}
	return nil
}

// Random histories of two keys, with snapshots, range tombstones and something below: whoever reads, before and after,
// reads the same. What went into the first compaction goes through a second one, together with what was below it.
func TestMerge_EveryReaderSeesTheSameBeforeAndAfter(t *testing.T) {
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var all, deep []full
		var ranges []rangedel.Span
		for seq := key.SeqNum(1); seq < 25; seq++ {
			stored := []byte{0, byte('a' + rng.IntN(2))}
			kind, value := key.KindMerge, key.AppendOperand(nil, 0, []byte{byte('a' + seq)})
			switch r := rng.IntN(12); {
			case r == 0:
				kind, value = key.KindDelete, nil
			case r == 1:
				kind, value = key.KindSet, []byte{byte('A' + seq)}
			case r < 8 && seq >= 8: // as a memtable would
				if last := lastOf(all, stored); last != nil && last.Trailer.Kind() == key.KindMerge && rangedel.Cut(rangedel.KeepAll, ranges).Newest(stored, seq) < last.Trailer.Seq() {
					reach, older, _ := key.SplitOperand(last.value)
					reach += seq - last.Trailer.Seq()
					value = key.AppendOperand(nil, reach, append(slices.Clone(older), byte('a'+seq)))
				}
			case r == 11 && seq >= 8:
				ranges = append(ranges, rangedel.Span{Lower: stored, Upper: []byte{0, stored[1] + 1}, Seqs: []key.SeqNum{seq}})
				continue
			}
			f := full{key.Internal{Stored: stored, Trailer: key.MakeTrailer(seq, kind)}, value}
			if seq < 8 {
				deep = append(deep, f)
			} else {
				all = append(all, f)
			}
		}
		var snapshots []key.SeqNum
		for seq := key.SeqNum(5); seq < 25; seq++ {
			if rng.IntN(6) == 0 {
				snapshots = append(snapshots, seq)
			}
		}
		byKey := func(a, b full) int { return key.Compare(a.Internal, b.Internal) }
		slices.SortFunc(all, byKey)
		slices.SortFunc(deep, byKey)
		cut := rangedel.Cut(rangedel.KeepAll, ranges)
		compact := func(in []full, below []full) (out []full, kept rangedel.List) {
			var deeper [][]*manifest.Table
			if len(below) > 0 {
				deeper = [][]*manifest.Table{{{Smallest: below[0].Internal, Largest: below[len(below)-1].Internal}}}
			}
			rule := newSurvival(Rules{Snapshots: snapshots, Merge: concat}, deeper)
			rule.ranges = cut
			kept = rule.keptRanges()
			err := rule.walk(&list{all: in}, func(*iterator.KV) error { return nil }, func(kv *iterator.KV) error {
				out = append(out, full{kv.Key().Clone(), slices.Clone(kv.Value)})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return out, kept
		}
		before := slices.Concat(all, deep)
		first, kept := compact(all, deep)
		check := func(what string, got []full, ranges rangedel.List) {
			for _, stored := range [][]byte{{0, 'a'}, {0, 'b'}} {
				for _, seq := range append(slices.Clone(snapshots), key.MaxSeqNum-1) {
					if seq < 8 && what == "all" {
						continue
					}
					want := valueAt(before, cut, stored, seq)
					if v := valueAt(got, ranges, stored, seq); v != want {
						t.Fatalf("seed %d, %s: %s at %d is %s, was %s\nsnapshots %v ranges %v\nin %v\nout %v", seed, what, stored, seq, v, want, snapshots, cut, before, got)
					}
				}
			}
		}
		check("upper", slices.Concat(first, deep), kept)
		cut = kept
		cutBefore := rangedel.Cut(rangedel.KeepAll, ranges)
		in := slices.Concat(first, deep)
		slices.SortFunc(in, byKey)
		second, kept2 := compact(in, nil)
		cut = cutBefore
		check("whole", second, kept2)
	}
}
