package interchange

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/tinykv/tinykv"
)

// Fields say what of an item is written beside its key.
type Fields uint8

// The fields, which may be added up.
const (
	FieldValue  Fields = 1 << iota // the value, also an empty one
	FieldExpiry                    // when the value expires, if it does
	FieldSeq                       // the number of the write that made it
)

// AppendItem appends an item to dst as a JSON object, without a newline, and returns the extended slice. It allocates only where
// dst has too little room.
func AppendItem(dst []byte, item *tinykv.Item, fields Fields) []byte {
	dst = append(dst, '{')
	dst = AppendBytes(dst, "key", item.Key)
	if fields&FieldValue != 0 {
		dst = append(dst, ',')
		dst = AppendBytes(dst, "value", item.Value)
	}
	if fields&FieldExpiry != 0 && !item.ExpiresAt.IsZero() {
		dst = append(dst, `,"expires_at":"`...)
		dst = item.ExpiresAt.UTC().AppendFormat(dst, time.RFC3339Nano)
		dst = append(dst, '"')
	}
	if fields&FieldSeq != 0 {
		dst = fmt.Appendf(dst, `,"seq":%d`, item.Seq)
	}
	return append(dst, '}')
}

// AppendBytes appends bytes as a member of a JSON object: under name as text where they are UTF-8, otherwise under name_hex as
// hexadecimal digits. The name must need no escapes.
func AppendBytes(dst []byte, name string, b []byte) []byte {
	dst = append(dst, '"')
	dst = append(dst, name...)
	if utf8.Valid(b) {
		dst = append(dst, `":`...)
		return AppendText(dst, b)
	}
	dst = append(dst, `_hex":"`...)
	dst = hex.AppendEncode(dst, b)
	return append(dst, '"')
}

// AppendText appends UTF-8 as a JSON string, quotes included.
func AppendText(dst, text []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i, c := range text {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, text[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	dst = append(dst, text[from:]...)
	return append(dst, '"')
}

var errNotObject = errors.New("an item is a JSON object, as {\"key\":\"fig\",\"value\":\"ripe\"}")

// DecodeItem reads what AppendItem appends. The item owns its memory. The error says what is wrong in words for whoever made the
// JSON.
func DecodeItem(data []byte) (tinykv.Item, error) {
	item, _, err := lendItem(data, false)
	item.Key, item.Value = bytes.Clone(item.Key), bytes.Clone(item.Value)
	return item, err
}

// lendItem is DecodeItem for an item that may share memory with data, and of which the bucket may be told: nil if it is not.
func lendItem(data []byte, buckets bool) (tinykv.Item, []byte, error) {
	d := itemDecoder{buckets: buckets}
	if err := members(data, d.member); err != nil {
		return tinykv.Item{}, nil, err
	}
	if d.item.Key == nil {
		return tinykv.Item{}, nil, errors.New(`"key" is missing; give "key" or "key_hex"`)
	}
	if d.item.Value == nil {
		return tinykv.Item{}, nil, errors.New(`"value" is missing; give "value" or "value_hex"`)
	}
	return d.item, d.bucket, nil
}

// itemDecoder gathers the members of an item. Key and Value are nil until they are met.
type itemDecoder struct {
	item           tinykv.Item
	hasExpiry, seq bool
	buckets        bool // bucket is a field, too
	bucket         []byte
}

var errBucket = errors.New("the item is in a bucket; import it with others of all buckets (--all-buckets, all_buckets=true)")

func (d *itemDecoder) member(name, raw []byte) error {
	switch string(name) {
	case "key":
		return setBytes(&d.item.Key, name, raw, text)
	case "key_hex":
		return setBytes(&d.item.Key, name, raw, digits)
	case "value":
		return setBytes(&d.item.Value, name, raw, text)
	case "value_hex":
		return setBytes(&d.item.Value, name, raw, digits)
	case "expires_at":
		return d.expiry(raw)
	case "seq":
		return once(&d.seq, name)
	case fieldBucket, fieldBucket + "_hex":
		if !d.buckets {
			return errBucket
		}
		read := text
		if len(name) > len(fieldBucket) {
			read = digits
		}
		return setBytes(&d.bucket, name, raw, read)
	default:
		return fmt.Errorf("%s is not a field of an item; known are key, key_hex, value, value_hex, expires_at and seq", quoted(name))
	}
}

// setBytes sets a field that may be given in two ways, by one of which it must not have been given yet.
func setBytes(field *[]byte, name, raw []byte, read func(raw []byte) ([]byte, error)) error {
	if *field != nil {
		return fmt.Errorf("%s is given twice, perhaps as text and as _hex; give it once", quoted(name))
	}
	b, err := read(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", quoted(name), err)
	}
	*field = b
	return nil
}

func once(given *bool, name []byte) error {
	if *given {
		return fmt.Errorf("%s is given twice", quoted(name))
	}
	*given = true
	return nil
}

// expiry reads a time; null stands for none.
func (d *itemDecoder) expiry(raw []byte) error {
	if err := once(&d.hasExpiry, []byte("expires_at")); err != nil || string(raw) == "null" {
		return err
	}
	s, err := text(raw)
	if err != nil {
		return fmt.Errorf(`"expires_at": %w`, err)
	}
	d.item.ExpiresAt, err = parseTime(string(s))
	return err
}

// The times that a store can hold: nanoseconds since 1970 in 64 bits.
var (
	firstTime = time.Unix(0, -1<<63)
	lastTime  = time.Unix(0, 1<<63-1)
)

// parseTime reads a time in RFC 3339.
func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("expires_at: %s is no time; write it as 2030-01-02T03:04:05Z", quoted([]byte(s)))
	}
	if t.Before(firstTime) || t.After(lastTime) {
		return time.Time{}, fmt.Errorf("expires_at: %s is out of range; times lie between %d and %d", s, firstTime.UTC().Year(), lastTime.UTC().Year())
	}
	return t.UTC(), nil
}

// text returns the bytes of a JSON string, not nil, which may be lent from it.
func text(raw []byte) ([]byte, error) {
	if raw[0] != '"' {
		return nil, errors.New("want a string")
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1 : len(raw)-1], nil
	}
	return unquote(raw)
}

// digits returns the bytes that the hexadecimal digits in a JSON string stand for, not nil.
func digits(raw []byte) ([]byte, error) {
	s, err := text(raw)
	if err != nil {
		return nil, err
	}
	return fromHex(s)
}

// fromHex decodes into new memory.
func fromHex(s []byte) ([]byte, error) {
	if len(s)%2 != 0 {
		return nil, fmt.Errorf("%d hexadecimal digits; each byte has two", len(s))
	}
	b := make([]byte, len(s)/2)
	if _, err := hex.Decode(b, s); err != nil {
		return nil, errors.New("not hexadecimal; write two digits for each byte")
	}
	return b, nil
}

// quoted returns text for an error, cut where it is long.
func quoted(b []byte) string {
	const most = 40
	if len(b) > most {
		return fmt.Sprintf("%q...", b[:most])
	}
	return fmt.Sprintf("%q", b)
}
