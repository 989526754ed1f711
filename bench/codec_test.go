package main

import (
	"bytes"
	"testing"

	"github.com/tinykv/tinykv/bench/internal/values"
)

func TestCodecs_GiveBackWhatTheyCompressed(t *testing.T) {
	for name, newCodec := range map[string]func() (*codec, error){"s2": newS2Codec, "zstd": newZstdCodec} {
		c, err := newCodec()
		if err != nil {
			t.Fatal(err)
		}
		pieces := values.Values{Pool: values.NewPool(100, 0.5, 1), Size: 4096}
		var packed, p []byte
		for range 10 {
			want := pieces.Next()
			packed = c.compress(packed, want)
			if p, err = c.uncompress(p, packed); err != nil || !bytes.Equal(p, want) {
				t.Fatalf("%s: %v", name, err)
			}
			if len(packed) > len(want)*3/4 {
				t.Errorf("%s: %d bytes became %d", name, len(want), len(packed))
			}
		}
		if _, err := c.uncompress(p, []byte("not compressed")); err == nil {
			t.Errorf("%s: garbage is decompressed", name)
		}
	}
}
