package server

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of the JSON of a request. It may be nested so deep, of which requests need 3, and have so many parts: two letters of JSON may
// become a hundred bytes in memory.
const (
	maxNesting = 8
	maxParts   = 16 * maxOps
	maxNames   = 32 // of an object
)

// decode reads the JSON of a request. It must say what it is: a form or plain text, which is all that a page of a stranger can send without
// being asked, is refused. Names that are not known are, too, and such as stand twice in an object.
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
	d := strictDecoder(body)
	err := d.Decode(v)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return badRequest("the body is no JSON: byte %d is out of place", syntax.Offset)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return badRequest("the body is no JSON: it ends too early")
	case err != nil:
		return misfit(body, err)
	case len(bytes.TrimSpace(body[d.InputOffset():])) > 0:
		return badRequest("something follows on the JSON of the body; send one value")
	default:
		return nil
	}
}

// strictDecoder refuses names that are not known.
func strictDecoder(text []byte) *json.Decoder {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d
}

// misfit says what does not fit in JSON that is well formed, and in which operation. It decodes once more, for errors alone.
func misfit(body []byte, err error) error {
	var lists map[string]json.RawMessage
	_ = json.Unmarshal(body, &lists) // what is no object has no operations
	for _, name := range []string{"ops", "compare", "then", "else"} {
		var elements []json.RawMessage
		_ = json.Unmarshal(lists[name], &elements)
		for i, text := range elements {
			var to any = new(operation)
			if name == "compare" {
				to = new(comparison)
			}
			if err := strictDecoder(text).Decode(to); err != nil {
				return badRequest("%s[%d]: %s", name, i, whyMisfit(err))
			}
		}
	}
	return badRequest("the body is not as expected: %s; /openapi.json tells what is", whyMisfit(err))
}

func whyMisfit(err error) string {
	var typ *json.UnmarshalTypeError
	var at *time.ParseError
	name, isUnknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case errors.As(err, &typ):
		return fmt.Sprintf("%s cannot be of the kind %s", cmp.Or(typ.Field, "it"), typ.Value)
	case errors.As(err, &at):
		return "a time is written as 2030-01-02T03:04:05Z"
	case isUnknown:
		return "the field " + name[:min(len(name), 40)] + " is not known here"
	default:
		return "it is of another kind"
	}
}

// checkJSON refuses what a decoder would take too much for, or silently change: deep nesting, many parts, text that is not UTF-8, be it in
// escapes, and names that stand twice in an object, of which it would take the last.
func checkJSON(body []byte) error {
	if !utf8.Valid(body) {
		return badRequest("the body is no UTF-8; give bytes that are none as hexadecimal digits, in key_hex and value_hex")
	}
	depth, parts := 0, 0
	var objects [maxNesting + 1]objectNames
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{', '[':
			if depth++; depth > maxNesting {
				return badRequest("the JSON is nested more than %d deep", maxNesting)
			}
			objects[depth] = objectNames{isObject: body[i] == '{', isNext: body[i] == '{', seen: objects[depth].seen[:0]}
		case '}', ']':
			depth = max(depth-1, 0)
		case ',':
			objects[depth].isNext = objects[depth].isObject
			objects[depth].commas++
			if parts++; parts > maxParts {
				return tooLarge("the JSON has more than %d parts; send them in several requests", maxParts)
			}
		case '"':
			end, ok := stringEnd(body, i+1)
			if !ok {
				return badRequest("a string holds half of a surrogate pair; give bytes that are no UTF-8 as hexadecimal digits")
			}
			if err := objects[depth].add(body[i:min(end+1, len(body))]); err != nil {
				return badRequest("%s%v", placeOf(objects[:depth]), err)
			}
			i = end
		}
	}
	return nil
}

// objectNames are the names in an object, as far as it was read.
type objectNames struct {
	isObject, isNext bool // whether it is one, and no array, and whether the next string in it is a name
	seen             [][]byte
	commas           int
}

// placeOf names the operation whose object is read, given what that lies in: a list in an object.
func placeOf(outer []objectNames) string {
	if len(outer) != 3 || len(outer[1].seen) == 0 || outer[2].isObject {
		return ""
	}
	return fmt.Sprintf("%.40s[%d]: ", outer[1].seen[len(outer[1].seen)-1], outer[2].commas)
}

// add takes a string, quotes included, if it is a name. Names are told apart as the decoder does, to which Key is key.
func (o *objectNames) add(quoted []byte) error {
	if !o.isNext {
		return nil
	}
	o.isNext = false
	name := bytes.Trim(quoted, `"`)
	if bytes.IndexByte(name, '\\') >= 0 {
		var text string
		if json.Unmarshal(quoted, &text) != nil {
			return nil // the decoder will tell
		}
		name = []byte(text)
	}
	for _, other := range o.seen {
		if bytes.EqualFold(name, other) {
			return badRequest("the field %.40q is given twice", name)
		}
	}
	if len(o.seen) == maxNames {
		return badRequest("an object has more than %d fields", maxNames)
	}
	o.seen = append(o.seen, name)
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
