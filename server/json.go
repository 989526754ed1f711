package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"unicode/utf8"
)

// Bounds of the JSON of a request. It may be nested so deep, of which requests need 3, and have so many parts: two letters of JSON may
// become a hundred bytes in memory.
const (
	maxNesting = 8
	maxParts   = 16 * maxOps
)

// decode reads the JSON of a request. It must say what it is: a form or plain text, which is all that a page of a stranger can send without
// being asked, is refused. Names that are not known are, too.
func (s *Server) decode(w http.ResponseWriter, r *http.Request, v any) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return &problem{http.StatusUnsupportedMediaType, "unsupported_media_type", "send JSON, with Content-Type: application/json"}
	}
	body, err := s.body(w, r)
	if err != nil {
		return err
	}
	if err := grantOf(r).share.take(decodedFactor * len(body)); err != nil {
		return err
	}
	return decodeJSON(body, v)
}

// decodedFactor is about how much larger JSON becomes when it is decoded.
const decodedFactor = 4

func decodeJSON(body []byte, v any) error {
	if err := checkJSON(body); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return badRequest("the body is no JSON: byte %d is out of place", syntax.Offset)
	case errors.As(err, &typ):
		return badRequest("the body is not as expected: %s cannot be a %s", typ.Field, typ.Value)
	case err != nil:
		return badRequest("the body is no JSON as expected here; /openapi.json tells what is")
	case len(bytes.TrimSpace(body[d.InputOffset():])) > 0:
		return badRequest("something follows on the JSON of the body; send one value")
	default:
		return nil
	}
}

// checkJSON refuses what a decoder would take too much for, or silently change: deep nesting, many parts, and text that is not UTF-8, be it in
// escapes.
func checkJSON(body []byte) error {
	if !utf8.Valid(body) {
		return badRequest("the body is no UTF-8; give bytes that are none as hexadecimal digits, in key_hex and value_hex")
	}
	depth, parts := 0, 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{', '[':
			if depth++; depth > maxNesting {
				return badRequest("the JSON is nested more than %d deep", maxNesting)
			}
		case '}', ']':
			depth--
		case ',':
			if parts++; parts > maxParts {
				return tooLarge("the JSON has more than %d parts; send them in several requests", maxParts)
			}
		case '"':
			end, ok := stringEnd(body, i+1)
			if !ok {
				return badRequest("a string holds half of a surrogate pair; give bytes that are no UTF-8 as hexadecimal digits")
			}
			i = end
		}
	}
	return nil
}

// stringEnd returns where a JSON string ends, and whether its escapes are text.
func stringEnd(b []byte, i int) (end int, ok bool) {
	for ; i < len(b) && b[i] != '"'; i++ {
		if b[i] != '\\' {
			continue
		}
		i++
		switch unit := escape(b, i); {
		case unit >= 0xdc00 && unit < 0xe000:
			return i, false
		case unit >= 0xd800 && unit < 0xdc00:
			if low := escape(b, i+6); i+5 >= len(b) || b[i+5] != '\\' || low < 0xdc00 || low >= 0xe000 {
				return i, false
			}
			i += 10
		}
	}
	return i, true
}

// escape returns the number in an escape of which the u is at i, or -1 when there is none.
func escape(b []byte, i int) int {
	if i+5 > len(b) || b[i] != 'u' {
		return -1
	}
	n := 0
	for _, c := range b[i+1 : i+5] {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			n = n<<4 | int(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return n
}
