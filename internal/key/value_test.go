package key

import (
	"math"
	"testing"
)

func TestExpiring_KeepsExpiryAndValue(t *testing.T) {
	for _, expiry := range []int64{1, 1 << 40, math.MaxInt64} {
		got, value, ok := SplitExpiring(AppendExpiring([]byte("x"), expiry, []byte("ripe"))[1:])
		if !ok || got != expiry || string(value) != "ripe" {
			t.Errorf("%d: %d, %q, %v", expiry, got, value, ok)
		}
	}
}

func TestOperand_KeepsReachAndOperand(t *testing.T) {
	for _, reach := range []SeqNum{0, 127, 128, MaxSeqNum} {
		got, operand, ok := SplitOperand(AppendOperand([]byte("x"), reach, []byte("ripe"))[1:])
		if !ok || got != reach || string(operand) != "ripe" {
			t.Errorf("%d: %d, %q, %v", reach, got, operand, ok)
		}
	}
}

func TestValidValue_KnowsWhatAValueBeginsWith(t *testing.T) {
	for _, c := range []struct {
		trailer Trailer
		stored  string
		want    bool
	}{
		{MakeTrailer(9, KindSet), "", true},
		{MakeTrailer(9, KindDelete), "", true},
		{MakeTrailer(9, KindSetExpiring), "\x01\x00\x00\x00\x00\x00\x00\x00", true},
		{MakeTrailer(9, KindSetExpiring), "\x01\x00\x00\x00\x00\x00\x00", false},
		{MakeTrailer(9, KindSetExpiring), "\x00\x00\x00\x00\x00\x00\x00\x00", false},
		{MakeTrailer(9, KindSetExpiring), "\x00\x00\x00\x00\x00\x00\x00\x80", false},
		{MakeTrailer(9, KindMerge), "", false},
		{MakeTrailer(9, KindMerge), "\x00", true},
		{MakeTrailer(9, KindMerge), "\x08", true},
		{MakeTrailer(9, KindMerge), "\x09", false},
		{MakeTrailer(9, KindMerge), "\x80", false},
		{MakeTrailer(9, KindMerge), "\x80\x00", false},
		{MakeTrailer(9, KindMerge), "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", false},
	} {
		if got := ValidValue(c.trailer, []byte(c.stored)); got != c.want {
			t.Errorf("%v with %q is valid: %v", c.trailer.Kind(), c.stored, got)
		}
	}
}
