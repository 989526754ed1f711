package key

import (
	"math/rand/v2"
	"testing"
)

func TestString_IsUserSequenceKind(t *testing.T) {
	for _, c := range []struct {
		key  Internal
		want string
	}{
		{Internal{stored("fig"), MakeTrailer(12, KindSet)}, "fig#12,SET"},
		{Internal{stored("fig"), MakeTrailer(15, KindDelete)}, "fig#15,DEL"},
		{Internal{stored(""), MakeTrailer(0, KindSet)}, "#0,SET"},
		{Internal{AppendStored(nil, 3, []byte("fig")), MakeTrailer(1, KindSet)}, "3/fig#1,SET"},
		{Internal{stored("a\x00\xff\n"), MakeTrailer(1, KindSet)}, `a\x00\xff\n#1,SET`},
		{Internal{stored("a"), MakeTrailer(MaxSeqNum, Kind(9))}, "a#72057594037927935,KIND(9)"},
		{Internal{[]byte{0x80}, MakeTrailer(1, KindSet)}, `invalid(\x80)#1,SET`},
		{Internal{nil, MakeTrailer(1, KindSet)}, "invalid()#1,SET"},
	} {
		if got := c.key.String(); got != c.want {
			t.Errorf("% x: %q, want %q", c.key.Stored, got, c.want)
		}
	}
}

func TestParseInternal_ReadsKeyAndValue(t *testing.T) {
	for _, c := range []struct{ text, key, value string }{
		{"fig#12,SET:ripe", "fig#12,SET", "ripe"},
		{"fig#12,SET:", "fig#12,SET", ""},
		{"fig#12,SET:a:b#1,SET", "fig#12,SET", "a:b#1,SET"},
		{"#0,SET:x", "#0,SET", "x"},
	} {
		got, value, err := ParseInternal(c.text)
		if err != nil || got.String() != c.key || value == nil || string(value) != c.value {
			t.Errorf("%q: %v with value %q, %v", c.text, got, value, err)
		}
	}
}

func TestParseInternal_WithoutColonHasNoValue(t *testing.T) {
	if _, value, err := ParseInternal("fig#15,DEL"); err != nil || value != nil {
		t.Errorf("value %q, %v; want nil", value, err)
	}
}

func TestParseInternal_RefusesWhatIsNoKey(t *testing.T) {
	for _, text := range []string{
		"", "fig", "fig#", "fig#12", "fig#12,", "fig#,SET", "fig#x,SET", "fig#-1,SET", "fig#+1,SET",
		"fig#12,set", "fig#12,JOIN", "fig#72057594037927936,SET", "fig,SET", `fig\#1,SET`, `fig\x0#1,SET`,
	} {
		if got, _, err := ParseInternal(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestParseInternal_ReadsBackWhatStringWrites(t *testing.T) {
	users := []string{"", "fig", "user:17", "a/b", "a,b", "a b", "\x00", "\xff\xff", "a\nb", `a"b`, `a\b`, "höhe", "日本"}
	rng := rand.New(rand.NewPCG(3, 3))
	for range 1000 {
		user := make([]byte, rng.IntN(12))
		for i := range user {
			for user[i] = '#'; user[i] == '#'; { // the one byte that the notation keeps for itself
				user[i] = byte(rng.Uint32())
			}
		}
		users = append(users, string(user))
	}
	for _, user := range users {
		for _, kind := range []Kind{KindSet, KindDelete} {
			want := Internal{stored(user), MakeTrailer(SeqNum(rng.Uint64())&MaxSeqNum, kind)}
			got, _, err := ParseInternal(want.String())
			if err != nil || Compare(got, want) != 0 {
				t.Errorf("%q is written %q and read back as %v, %v", user, want, got, err)
			}
		}
	}
}

func TestFormatStored_NamesKeyspacesOtherThanZero(t *testing.T) {
	for _, c := range []struct{ stored, want string }{
		{"\x00fig", "fig"},
		{"\x05fig", "5/fig"},
		{"", "invalid()"},
	} {
		if got := FormatStored([]byte(c.stored)); got != c.want {
			t.Errorf("%q: %q, want %q", c.stored, got, c.want)
		}
	}
}
