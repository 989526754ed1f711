package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// endless is input without an end, of which it counts what was read.
type endless struct{ read int }

func (r *endless) Read(p []byte) (int, error) {
	r.read += len(p)
	return len(p), nil
}

func TestReadBounded_EndsWithoutReadingOn(t *testing.T) {
	const most = 3 * inputBuffer
	in := &endless{}
	if _, err := readBounded(in, most); !errors.Is(err, errTooMuch) || in.read != most+1 {
		t.Errorf("%v, %d bytes were read, want %d", err, in.read, most+1)
	}
	for _, size := range []int{0, 1, inputBuffer, most} {
		want := bytes.Repeat([]byte("a"), size)
		got, err := readBounded(iotest.DataErrReader(bytes.NewReader(want)), most)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes of %d, %v", len(got), size, err)
		}
	}
	if _, err := readBounded(io.MultiReader(bytes.NewReader([]byte("a")), iotest.ErrReader(io.ErrNoProgress)), most); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

// What is written piece by piece is what it would be at once, wherever a piece ends.
func TestWrite_IsTheTextHoweverLongItIs(t *testing.T) {
	for _, part := range []string{"a", "é", "\xff", "日本語\n", "\x00", "a\xe6\x97"} {
		value := bytes.Repeat([]byte(part), 2*pieceBytes/len(part)+1)
		for _, flag := range []hexFlag{{}, {Hex: true}} {
			var got bytes.Buffer
			w := bufio.NewWriter(&got)
			flag.write(w, value)
			if err := w.Flush(); err != nil || got.String() != flag.text(value) {
				t.Errorf("%q, %+v: the text is another one, %v", part, flag, err)
			}
		}
	}
}
