package batchrepr

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/corrupt"
	"github.com/tinykv/tinykv/internal/key"
)

// batch makes a batch of entries in notation, whose sequence numbers count up by one.
func batch(t *testing.T, entries ...string) []byte {
	t.Helper()
	repr := AppendHeader(nil, 0, 0)
	for i, text := range entries {
		k, value, err := key.ParseInternal(text)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			SetHeader(repr, k.Trailer.Seq(), uint32(len(entries)))
		}
		space, user, _ := key.SplitStored(k.Stored)
		repr = AppendOp(repr, k.Trailer.Kind(), space, user, value)
	}
	return repr
}

// read returns the entries of a batch in notation.
func read(repr []byte) (entries []string, err error) {
	seq, r, err := Read(repr)
	for err == nil {
		var op Op
		var ok bool
		if op, ok, err = r.Next(); err != nil || !ok {
			break
		}
		text := key.Internal{Stored: op.Stored, Trailer: key.MakeTrailer(seq, op.Kind)}.String()
		if op.Value != nil {
			text += ":" + string(op.Value)
		}
		entries = append(entries, text)
		seq++
	}
	return entries, err
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The worked example of the package comment.
const example = `
	0c 00 00 00 00 00 00 00  02 00 00 00
	02  04 00 66 69 67  04 72 69 70 65
	01  05 00 6b 69 77 69`

func TestBatch_OfThePackageCommentHasTheseBytes(t *testing.T) {
	if got, want := batch(t, "fig#12,SET:ripe", "kiwi#13,DEL"), unhex(t, example); !bytes.Equal(got, want) {
		t.Errorf("got  % x\nwant % x", got, want)
	}
}

func TestBatch_OfThePackageCommentIsReadBack(t *testing.T) {
	got, err := read(unhex(t, example))
	if want := "[fig#12,SET:ripe kiwi#13,DEL]"; fmt.Sprint(got) != want || err != nil {
		t.Errorf("got %v, %v; want %s", got, err, want)
	}
}

func TestBatch_RoundTrip(t *testing.T) {
	for _, entries := range [][]string{
		{"#1,SET:"},
		{"#1,DEL"},
		{"a#5,SET:x", "a#6,DEL", "a#7,SET:y"},
		{"a#72057594037927934,SET:x"}, // the greatest sequence number that a batch of one may have
		{"k#9,SET:" + strings.Repeat("v", 300)},
	} {
		got, err := read(batch(t, entries...))
		if fmt.Sprint(got) != fmt.Sprint(entries) || err != nil {
			t.Errorf("wrote %v, read %v, %v", entries, got, err)
		}
	}
}

func TestBatch_KeyspacesAndLongestKeyRoundTrip(t *testing.T) {
	user := bytes.Repeat([]byte{0xff}, key.MaxUserLen)
	for _, space := range []key.Space{0, 1, 127, 128, 1 << 14, 1 << 21, key.MaxSpace} {
		repr := AppendOp(AppendHeader(nil, 1, 1), key.KindSet, space, user, []byte("v"))
		_, r, err := Read(repr)
		op, ok, err2 := r.Next()
		if err != nil || err2 != nil || !ok {
			t.Fatalf("space %d: %v, %v, %v", space, ok, err, err2)
		}
		if got, u, _ := key.SplitStored(op.Stored); got != space || !bytes.Equal(u, user) {
			t.Errorf("space %d: read back as space %d and %d bytes", space, got, len(u))
		}
	}
}

func TestOpLen_BoundsWhatAppendOpAppends(t *testing.T) {
	for _, keyLen := range []int{0, 1, 126, 127, 128, 16382, 16383, key.MaxUserLen} {
		for _, valueLen := range []int{0, 1, 127, 128, 16383, 16384, 1 << 21} {
			user, value := make([]byte, keyLen), make([]byte, valueLen)
			got := len(AppendOp(nil, key.KindSet, key.MaxSpace, user, value))
			if bound := OpLen(user, value); got > bound {
				t.Errorf("key of %d and value of %d bytes take %d bytes, more than OpLen's %d", keyLen, valueLen, got, bound)
			}
		}
	}
}

func TestAppendOp_IgnoresTheValueOfADelete(t *testing.T) {
	with := AppendOp(nil, key.KindDelete, 0, []byte("fig"), []byte("ripe"))
	if without := AppendOp(nil, key.KindDelete, 0, []byte("fig"), nil); !bytes.Equal(with, without) {
		t.Errorf("got % x, want % x", with, without)
	}
}

func TestReader_ValueIsNilOnlyForADelete(t *testing.T) {
	_, r, _ := Read(batch(t, "a#1,SET:", "a#2,DEL"))
	set, _, _ := r.Next()
	del, _, _ := r.Next()
	if set.Value == nil || len(set.Value) != 0 || del.Value != nil {
		t.Errorf("SET has value %v, DEL has %v; want empty and nil", set.Value, del.Value)
	}
}

func TestReader_LendsSlicesThatCannotGrowIntoTheBatch(t *testing.T) {
	repr := batch(t, "a#1,SET:x", "b#2,SET:y")
	before := bytes.Clone(repr)
	_, r, _ := Read(repr)
	op, _, _ := r.Next()
	_ = append(op.Stored, "overrun"...)
	_ = append(op.Value, "overrun"...)
	if !bytes.Equal(repr, before) {
		t.Error("appending to a key or value of the batch overwrote what follows")
	}
}

func TestReadOps_ReadsABatchWithoutAHeaderYet(t *testing.T) {
	repr := batch(t, "a#1,SET:x", "b#2,DEL")
	SetHeader(repr, 0, 0)
	r := ReadOps(repr, 2)
	for _, want := range []string{"a", "b"} {
		if op, ok, err := r.Next(); err != nil || !ok || key.FormatStored(op.Stored) != want {
			t.Errorf("got %q, %v, %v; want %q", op.Stored, ok, err, want)
		}
	}
	if _, ok, err := r.Next(); ok || err != nil {
		t.Errorf("behind the last operation: %v, %v", ok, err)
	}
}

func TestReader_EndIsRepeated(t *testing.T) {
	_, r, _ := Read(batch(t, "a#1,DEL"))
	for i := range 4 {
		_, ok, err := r.Next()
		if want := i == 0; ok != want || err != nil {
			t.Errorf("call %d: %v, %v", i+1, ok, err)
		}
	}
}

func TestReader_EmptyBatchEndsAtOnce(t *testing.T) {
	_, r, err := Read(AppendHeader(nil, 1, 0))
	if _, ok, err2 := r.Next(); err != nil || ok || err2 != nil {
		t.Errorf("%v, %v, %v", ok, err, err2)
	}
}

func TestReader_DamageIsRepeatedAndLocated(t *testing.T) {
	repr := batch(t, "a#1,SET:x", "b#2,SET:y")
	repr[HeaderLen+6] = 9 // kind of the second operation
	_, r, _ := Read(repr)
	if _, ok, err := r.Next(); !ok || err != nil {
		t.Fatalf("first operation: %v, %v", ok, err)
	}
	for range 2 {
		_, ok, err := r.Next()
		var e *corrupt.Error
		if ok || !errors.As(err, &e) || e.Offset != HeaderLen+6 {
			t.Errorf("got %v, %v; want damage at offset %d", ok, err, HeaderLen+6)
		}
	}
}

// damage returns what a reader says of a batch.
func damage(repr []byte) string {
	err := Validate(repr)
	if err == nil {
		return ""
	}
	if !errors.Is(err, corrupt.ErrCorrupt) {
		return "not ErrCorrupt: " + err.Error()
	}
	return err.(*corrupt.Error).Detail
}

func TestRead_RefusesWhatBreaksTheLayout(t *testing.T) {
	op := func(b ...byte) []byte { return append(AppendHeader(nil, 1, 1), b...) }
	for _, c := range []struct {
		name string
		repr []byte
		want string
	}{
		{"nothing", nil, "0 bytes, want 12"},
		{"part of a header", make([]byte, HeaderLen-1), "11 bytes, want 12"},
		{"sequence number zero", AppendHeader(nil, 0, 0), "sequence number 0, 0 operations"},
		{"sequence number of 57 bits", AppendHeader(nil, key.MaxSeqNum+1, 0), "sequence number 72057594037927936, 0 operations"},
		{"operations past the last sequence number", AppendHeader(nil, key.MaxSeqNum, 1), "sequence number 72057594037927935, 1 operations"},
		{"too few operations", AppendHeader(nil, 1, 2), "2 operations missing"},
		{"too many bytes", append(batch(t, "a#1,DEL"), 0), "1 bytes behind the last operation"},
		{"kind zero", op(0), "unknown kind 0"},
		{"kind from the future", op(6, 1, 0), "unknown kind 6"},
		{"operand without a reach", op(3, 1, 0, 0), "value of MERGE is malformed"},
		{"operand that reaches back", op(3, 1, 0, 2, 1, 'x'), "value of MERGE is malformed"},
		{"expiry cut short", op(5, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0), "value of SETEXP is malformed"},
		{"expiry of zero", op(5, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0), "value of SETEXP is malformed"},
		{"expiry below zero", op(5, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0x80), "value of SETEXP is malformed"},
		{"key length cut short", op(1, 0x80), "key of DEL is cut short or malformed"},
		{"key cut short", op(1, 5, 0, 'a'), "key of DEL is cut short or malformed"},
		{"key without keyspace", op(1, 0), "key of DEL is cut short or malformed"},
		{"keyspace that is not minimal", op(1, 2, 0x80, 0), "key of DEL is cut short or malformed"},
		{"no value", op(2, 1, 0), "value of  is cut short"},
		{"value cut short", op(2, 2, 0, 'a', 3, 'x'), "value of a is cut short"},
		{"key length of 2^64-1", op(append([]byte{1}, binary.AppendUvarint(nil, 1<<64-1)...)...), "key of DEL is cut short or malformed"},
		{"range that ends before it begins", AppendOp(AppendHeader(nil, 1, 1), key.KindRangeDelete, 0, []byte("b"), []byte("\x00a")), "range from b ends at 00 61"},
		{"range of nothing", AppendOp(AppendHeader(nil, 1, 1), key.KindRangeDelete, 0, []byte("b"), []byte("\x00b")), "range from b ends at 00 62"},
		{"value length of 2^63", op(append([]byte{2, 1, 0}, binary.AppendUvarint(nil, 1<<63)...)...), "value of  is cut short"},
		{"key of a byte too much", AppendOp(AppendHeader(nil, 1, 1), key.KindDelete, 0, make([]byte, key.MaxUserLen+1), nil), "key of DEL is cut short or malformed"},
	} {
		if got := damage(c.repr); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestRead_CountOfFourBillionCostsNothing(t *testing.T) {
	if got, want := damage(append(AppendHeader(nil, 1, MaxCount), 1, 1, 0)), "4294967294 operations missing"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestRead_EveryTruncationIsDamage(t *testing.T) {
	repr := batch(t, "fig#12,SET:ripe", "kiwi#13,DEL", "lime#14,SET:"+strings.Repeat("v", 200))
	for n := range repr {
		if got := damage(repr[:n]); got == "" || strings.HasPrefix(got, "not") {
			t.Errorf("cut to %d of %d bytes: %q", n, len(repr), got)
		}
	}
}

func TestRead_EveryChangedByteIsDamageOrAnotherBatch(t *testing.T) {
	repr := batch(t, "fig#12,SET:ripe", "kiwi#13,DEL", "#14,SET:")
	for i := range repr {
		for v := range 256 {
			changed := bytes.Clone(repr)
			changed[i] = byte(v)
			entries, err := read(changed)
			switch {
			case err != nil && !errors.Is(err, corrupt.ErrCorrupt):
				t.Fatalf("byte %d set to %#x: %v", i, v, err)
			case err == nil && len(entries) != 3:
				t.Fatalf("byte %d set to %#x: read without an error as %v", i, v, entries)
			}
		}
	}
}

func TestRead_RandomBytesAreNeverTrusted(t *testing.T) {
	const seed = 4
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range 20_000 {
		repr := AppendHeader(nil, 1, rng.Uint32N(6))
		for range rng.IntN(40) {
			repr = append(repr, byte(rng.Uint32N(1<<(1+rng.IntN(8)))))
		}
		if err := Validate(repr); err != nil && !errors.Is(err, corrupt.ErrCorrupt) {
			t.Fatalf("seed %d, batch %d, % x: %v", seed, i, repr, err)
		}
	}
}

func TestValidate_AcceptsWhatReadersAccept(t *testing.T) {
	if err := Validate(batch(t, "fig#12,SET:ripe", "kiwi#13,DEL")); err != nil {
		t.Error(err)
	}
}
