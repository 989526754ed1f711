package server

import (
	"encoding/hex"
	"time"
	"unicode/utf8"

	"github.com/tinykv/tinykv"
)

// item is a key with its value as JSON. Bytes that are valid UTF-8 are a string, others hexadecimal digits under another name.
type item struct {
	Key      *string `json:"key,omitempty"`
	KeyHex   *string `json:"key_hex,omitempty"`
	Value    *string `json:"value,omitempty"`
	ValueHex *string `json:"value_hex,omitempty"`

	// ValueBytes stands for a value that is too large to be told here: its length.
	ValueBytes int `json:"value_bytes,omitempty"`

	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	Seq       uint64     `json:"seq,omitempty"`
}

// itemOf tells an item without its value.
func itemOf(it *tinykv.Item) item {
	var i item
	i.Key, i.KeyHex = text(it.Key)
	i.Seq = it.Seq
	if !it.ExpiresAt.IsZero() {
		at := it.ExpiresAt.UTC()
		i.ExpiresAt = &at
	}
	return i
}

// size is how long the text of a value is.
func (i *item) size() int {
	switch {
	case i.Value != nil:
		return len(*i.Value)
	case i.ValueHex != nil:
		return len(*i.ValueHex)
	default:
		return 0
	}
}

func (i *item) setValue(v []byte) { i.Value, i.ValueHex = text(v) }

// text tells bytes in one of two ways.
func text(b []byte) (plain, hexed *string) {
	if utf8.Valid(b) {
		s := string(b)
		return &s, nil
	}
	s := hex.EncodeToString(b)
	return nil, &s
}

// untext reads bytes that are told in one of two ways. Neither gives nil, an empty text a slice that is not nil.
func untext(name string, plain, hexed *string) ([]byte, error) {
	switch {
	case plain != nil && hexed != nil:
		return nil, badRequest("there are both %s and %s_hex; give one of them", name, name)
	case plain != nil:
		return []byte(*plain), nil
	case hexed != nil:
		return unhex(name+"_hex", *hexed)
	default:
		return nil, nil
	}
}

func unhex(name, digits string) ([]byte, error) {
	b, err := hex.DecodeString(digits)
	if err != nil {
		return nil, badRequest("%s is not an even number of hexadecimal digits", name)
	}
	return b, nil
}
