package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/shell"
)

// hexFlag says how keys and values are written, on the command line and in the output.
type hexFlag struct {
	Hex bool `short:"x" help:"Keys and values are hexadecimal, here and in the output."`
}

// bytes reads a key or a value.
func (f hexFlag) bytes(text string) ([]byte, error) {
	if !f.Hex {
		return []byte(text), nil
	}
	b, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil {
		return nil, usageError{fmt.Sprintf("%q is not hexadecimal; write two digits for each byte, or leave out --hex", text)}
	}
	return b, nil
}

// text writes a key or a value: as it is where it prints, otherwise as a Go string in quotes.
func (f hexFlag) text(b []byte) string {
	if f.Hex {
		return hex.EncodeToString(b)
	}
	if shell.Prints(b) {
		return string(b)
	}
	return strconv.Quote(string(b))
}

// pieceBytes is how much of a value is made text at once: as a whole it may be a gigabyte, and four times that in quotes.
const pieceBytes = 64 << 10

// write writes what text returns, in little memory. A failure shows at the end.
func (f hexFlag) write(w *bufio.Writer, b []byte) {
	if f.Hex {
		_, _ = hex.NewEncoder(w).Write(b)
		return
	}
	if shell.Prints(b) {
		_, _ = w.Write(b)
		return
	}
	_ = w.WriteByte('"')
	var text []byte
	for len(b) > 0 {
		n := min(len(b), pieceBytes)
		for back := 1; n < len(b) && back < utf8.UTFMax && !utf8.RuneStart(b[n]); back++ {
			n-- // not within a character
		}
		text = strconv.AppendQuote(text[:0], string(b[:n]))
		_, _ = w.Write(text[1 : len(text)-1])
		b = b[n:]
	}
	_ = w.WriteByte('"')
}

// maxNamed is how much of a key a message names.
const maxNamed = 100

// short writes a key in a message.
func (f hexFlag) short(b []byte) string {
	if len(b) <= maxNamed {
		return f.text(b)
	}
	return fmt.Sprintf("%s… (%d bytes)", f.text(b[:maxNamed]), len(b))
}

// rangeFlags choose keys.
type rangeFlags struct {
	Prefix *string `short:"p" xor:"lower,upper" placeholder:"KEY" help:"Keys that begin with this."`
	Lower  *string `short:"l" xor:"lower" placeholder:"KEY" help:"Keys from this one on."`
	Upper  *string `short:"u" xor:"upper" placeholder:"KEY" help:"Keys below this one."`
}

func (f rangeFlags) bounds(x hexFlag) (r tinykv.Range, err error) {
	if f.Prefix != nil {
		p, err := x.bytes(*f.Prefix)
		return tinykv.Prefix(p), err
	}
	if f.Lower != nil {
		if r.Lower, err = x.bytes(*f.Lower); err != nil {
			return r, err
		}
	}
	if f.Upper != nil {
		r.Upper, err = x.bytes(*f.Upper)
	}
	return r, err
}

// sizeText returns a size in bytes with a unit, in at most nine columns.
func sizeText(n int64) string { return shell.Size(n) }

func entriesText(n uint64) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// countText returns a number and what it counts.
func countText[T int | uint64](n T, what string) string { return shell.Counted(n, what) }
