package main

import (
	"bytes"
	"testing"
)

func TestCodecs_GiveBackWhatTheyCompressed(t *testing.T) {
	for name, newCodec := range map[string]func() (*codec, error){"s2": newS2Codec, "zstd": newZstdCodec} {
		c, err := newCodec()
		if err != nil {
			t.Fatal(err)
		}
		pieces := values{pool: newValuePool(100, 0.5, 1), size: 4096}
		var packed, p []byte
		for range 10 {
			want := pieces.next()
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
