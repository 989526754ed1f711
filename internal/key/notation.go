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
// be part of it. A value is returned as it is stored: SETEXP@100:ripe expires at 100, MERGE-3:ripe has a
// reach of 3. It is made for tests and tools.
func ParseInternal(text string) (Internal, []byte, error) {
	userText, rest, ok := strings.Cut(text, "#")
	seqText, rest, ok2 := strings.Cut(rest, ",")
	kindText, value, hasValue := strings.Cut(rest, ":")
	user, err := unescape(userText)
	seq, err2 := strconv.ParseUint(seqText, 10, 56)
	if !ok || !ok2 || err != nil || err2 != nil {
		return Internal{}, nil, fmt.Errorf("key %q: want user#seq,KIND", text)
	}
	kindText, expiryText, _ := strings.Cut(kindText, "@")
	kindText, reachText, _ := strings.Cut(kindText, "-")
	var kind Kind
	stored := []byte(value)
	switch kindText {
	case "DEL":
		kind = KindDelete
	case "SET":
		kind = KindSet
	case "MERGE":
		reach, _ := strconv.ParseUint(reachText, 10, 56)
		kind, hasValue, stored = KindMerge, true, AppendOperand(nil, SeqNum(reach), stored)
	case "SETEXP":
		expiry, _ := strconv.ParseInt(expiryText, 10, 64)
		kind, hasValue, stored = KindSetExpiring, true, AppendExpiring(nil, expiry, stored)
	default:
		return Internal{}, nil, fmt.Errorf("key %q: unknown kind %q", text, kindText)
	}
	k := Internal{Stored: AppendStored(nil, 0, user), Trailer: MakeTrailer(SeqNum(seq), kind)}
	if !hasValue {
		return k, nil, nil
	}
	return k, stored, nil
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
