package fuzz

import (
	"bytes"
	"testing"

	"github.com/tinykv/tinykv/internal/key"
)

func FuzzNotation(f *testing.F) {
	for _, text := range []string{"fig#12,SET:ripe", "fig#15,DEL", "#0,SET:", `a\x00\xff\n#1,SET`, "user:17#5,DEL", "", "#", "a#b#1,SET", `\377#1,SET`, `\u00e9#1,SET`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, value, err := key.ParseInternal(text)
		if err != nil {
			return
		}
		again, v, err := key.ParseInternal(k.String() + ":" + string(value))
		if len(k.Stored)-1 > key.MaxUserLen {
			return // longer than any key; String says so
		}
		if err != nil || key.Compare(k, again) != 0 || !bytes.Equal(value, v) {
			t.Errorf("%q is read as %v with %q, which is read as %v with %q, %v", text, k, value, again, v, err)
		}
	})
}

func FuzzStoredKey(f *testing.F) {
	for _, space := range []key.Space{0, 1, 127, 128, key.MaxSpace} {
		f.Add(key.AppendStored(nil, space, []byte("fig")))
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		_ = key.FormatStored(stored)
		space, user, ok := key.SplitStored(stored)
		if ok && !bytes.Equal(key.AppendStored(nil, space, user), stored) {
			t.Errorf("% x is space %d, user key % x, which is stored otherwise", stored, space, user)
		}
	})
}
