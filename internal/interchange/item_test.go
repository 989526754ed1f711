package interchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tinykv/tinykv"
)

var someTime = time.Date(2030, 1, 2, 3, 4, 5, 600, time.UTC)

func TestAppendItem_WritesBytesAsTextWhereTheyAreUTF8(t *testing.T) {
	for _, c := range []struct {
		item   tinykv.Item
		fields Fields
		want   string
	}{
		{tinykv.Item{Key: []byte("fig"), Value: []byte("ripe")}, FieldValue, `{"key":"fig","value":"ripe"}`},
		{tinykv.Item{Key: []byte("fig"), Value: []byte("ripe")}, 0, `{"key":"fig"}`},
		{tinykv.Item{}, FieldValue | FieldExpiry, `{"key":"","value":""}`},
		{tinykv.Item{Key: []byte{0xff, 0}, Value: []byte{0xc3}}, FieldValue, `{"key_hex":"ff00","value_hex":"c3"}`},
		{tinykv.Item{Key: []byte("é\x00\x1f\n\r\t\"\\/<>\u2028\x7f"), Value: []byte("x")}, FieldValue, "{\"key\":\"é\\u0000\\u001f\\n\\r\\t\\\"\\\\/<>\u2028\x7f\",\"value\":\"x\"}"},
		{tinykv.Item{Key: []byte("k"), ExpiresAt: someTime, Seq: 12}, FieldExpiry | FieldSeq, `{"key":"k","expires_at":"2030-01-02T03:04:05.0000006Z","seq":12}`},
		{tinykv.Item{Key: []byte("k"), ExpiresAt: someTime, Seq: 12}, 0, `{"key":"k"}`},
	} {
		got := string(AppendItem(nil, &c.item, c.fields))
		if got != c.want {
			t.Errorf("%v is written as\n%s\nwant\n%s", c.item, got, c.want)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("no JSON: %s", got)
		}
	}
}

func TestDecodeItem_TakesEitherFormOfBytes(t *testing.T) {
	for in, want := range map[string]tinykv.Item{
		`{"key":"a","value":""}`:                                                   {Key: []byte("a"), Value: []byte{}},
		` { "value_hex" : "FF00" , "key_hex" : "" , "seq" : 9 } `:                  {Key: []byte{}, Value: []byte{0xff, 0}},
		`{"key":"\u00e9\ud83d\ude00\/\b\f","value":"é"}`:                           {Key: []byte("é😀/\b\f"), Value: []byte("é")},
		`{"\u006bey":"a","value":"b","expires_at":null}`:                           {Key: []byte("a"), Value: []byte("b")},
		`{"key":"a","value":"b","expires_at":"2030-01-02T04:04:05.0000006+01:00"}`: {Key: []byte("a"), Value: []byte("b"), ExpiresAt: someTime},
	} {
		got, err := DecodeItem([]byte(in))
		if err != nil || !bytes.Equal(got.Key, want.Key) || !bytes.Equal(got.Value, want.Value) || !got.ExpiresAt.Equal(want.ExpiresAt) {
			t.Errorf("%s: %v, %v; want %v", in, got, err, want)
		}
		if got.Key == nil || got.Value == nil {
			t.Errorf("%s: nil for what is given as empty", in)
		}
	}
}

func TestDecodeItem_RefusesWhatItWouldHaveToGuess(t *testing.T) {
	deep := strings.Repeat("[", 1_000_000)
	for in, want := range map[string]string{
		``:                                               "an item is a JSON object",
		`[]`:                                             "an item is a JSON object",
		`{}`:                                             `"key" is missing`,
		`{"key":"a"}`:                                    `"value" is missing`,
		`{"key":"a","key_hex":"61","value":""}`:          `"key_hex" is given twice`,
		`{"key":"a","key":"a","value":""}`:               `"key" is given twice`,
		`{"key":"a","value":"","valu":1}`:                `"valu" is not a field of an item`,
		`{"key":1,"value":""}`:                           `"key": want a string`,
		`{"key":null,"value":""}`:                        `"key": want a string`,
		`{"key_hex":"0","value":""}`:                     `"key_hex": 1 hexadecimal digits`,
		`{"key_hex":"0g","value":""}`:                    `"key_hex": not hexadecimal`,
		"{\"key\":\"\xff\",\"value\":\"\"}":              `not UTF-8`,
		`{"key":"\ud800","value":""}`:                    `half of a surrogate pair`,
		`{"key":"\ud800\u0041","value":""}`:              `half of a surrogate pair`,
		`{"key":"\x","value":""}`:                        `is no escape`,
		`{"key":"\u12","value":""}`:                      `wants four hexadecimal digits`,
		"{\"key\":\"\n\",\"value\":\"\"}":                `write it as an escape`,
		`{"key":"a","value":""} x`:                       `byte 24: 'x' where the end should be`,
		`{"key":"a","value":"",}`:                        `where a name in quotes should be`,
		`{"key":"a" "value":""}`:                         `byte 12: '"' where ',' or '}' should be`,
		`{"key":"a","value":"`:                           `ends too early`,
		`{"key":"a","seq":01}`:                           `byte 19: '1' where ',' or '}' should be`,
		`{"key":"a","seq":1.}`:                           `a digit should be`,
		`{"key":"a","seq":nul}`:                          `a value should be`,
		`{"key":"a","seq":` + deep:                       `nested more than 128 deep`,
		`{"key":"a","value":"","expires_at":"tomorrow"}`: `is no time`,
		`{"key":"a","value":"","expires_at":"9999-01-01T00:00:00Z"}`: `out of range`,
		`{"key":"a","value":"","expires_at":7}`:                      `want a string`,
	} {
		if _, err := DecodeItem([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v; want %q", in, err, want)
		}
	}
}

// What is JSON for encoding/json is JSON here, and the other way around.
func FuzzScanner_AgreesWithTheStandardLibrary(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-0.5e+7,{"b":null}],"c":"\u00e9\n"}`, `{}`, `{"a":tru}`, `{"a":"\ud800"}`, ` {"a" : [ ] } `, "{\"a\":\"\xff\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := members(data, func(_, _ []byte) error { return nil })
		if errors.Is(err, errTooBig) {
			return
		}
		begin := bytes.TrimLeft(data, " \t\r\n")
		want := json.Valid(data) && utf8.Valid(data) && len(begin) > 0 && begin[0] == '{'
		if (err == nil) != want {
			t.Errorf("%q: %v, encoding/json says %v", data, err, want)
		}
	})
}

func FuzzDecodeItem_WhatIsReadIsWrittenAndReadAgain(f *testing.F) {
	f.Add([]byte(`{"key":"a","value_hex":"ff","expires_at":"2030-01-02T03:04:05Z","seq":1}`))
	f.Add([]byte(`{"key":"\u0000\ud83d\ude00","value":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		item, err := DecodeItem(data)
		if err != nil {
			return
		}
		written := AppendItem(nil, &item, FieldValue|FieldExpiry)
		again, err := DecodeItem(written)
		if err != nil || !bytes.Equal(again.Key, item.Key) || !bytes.Equal(again.Value, item.Value) || !again.ExpiresAt.Equal(item.ExpiresAt) {
			t.Fatalf("%q: %s, %v, is read as %v", data, written, err, again)
		}
		if !json.Valid(written) {
			t.Fatalf("no JSON: %s", written)
		}
	})
}
