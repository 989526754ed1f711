package key

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

func itoa(v uint64) string { return strconv.FormatUint(v, 10) }

// String returns the key in text, for example fig#12,SET. Bytes that do not print are escaped as in
// Go strings.
func (k Internal) String() string {
	return FormatStored(k.Stored) + "#" + itoa(uint64(k.Trailer.Seq())) + "," + k.Trailer.Kind().String()
}

// FormatStored returns a stored key in text: the user key, behind its keyspace unless that is 0.
func FormatStored(stored []byte) string {
	space, user, ok := SplitStored(stored)
	switch text := escape(user); {
	case !ok:
		return "invalid(" + escape(stored) + ")"
	case space == 0:
		return text
	default:
		return itoa(uint64(space)) + "/" + text
	}
}

func escape(b []byte) string {
	quoted := strconv.Quote(string(b))
	return quoted[1 : len(quoted)-1]
}

// ParseInternal reads the notation of [Internal.String] for keyspace 0, and the value after a
// colon, if there is one. Bytes of the user key may be escaped or stand for themselves; only # cannot
// be part of it. It is made for tests and tools.
func ParseInternal(text string) (Internal, []byte, error) {
	userText, rest, ok := strings.Cut(text, "#")
	seqText, rest, ok2 := strings.Cut(rest, ",")
	kindText, value, hasValue := strings.Cut(rest, ":")
	user, err := unescape(userText)
	seq, err2 := strconv.ParseUint(seqText, 10, 56)
	if !ok || !ok2 || err != nil || err2 != nil {
		return Internal{}, nil, fmt.Errorf("key %q: want user#seq,KIND", text)
	}
	var kind Kind
	switch kindText {
	case "DEL":
		kind = KindDelete
	case "SET":
		kind = KindSet
	default:
		return Internal{}, nil, fmt.Errorf("key %q: unknown kind %q", text, kindText)
	}
	k := Internal{Stored: AppendStored(nil, 0, user), Trailer: MakeTrailer(SeqNum(seq), kind)}
	if !hasValue {
		return k, nil, nil
	}
	return k, []byte(value), nil
}

// unescape is the inverse of escape.
func unescape(text string) ([]byte, error) {
	var b []byte
	for text != "" {
		if text[0] != '\\' {
			b, text = append(b, text[0]), text[1:]
			continue
		}
		r, multibyte, rest, err := strconv.UnquoteChar(text, '"')
		if err != nil {
			return nil, err
		}
		if text = rest; multibyte {
			b = utf8.AppendRune(b, r)
		} else {
			b = append(b, byte(r))
		}
	}
	return b, nil
}
