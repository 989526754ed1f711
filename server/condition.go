package server

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/tinykv/tinykv"
)

// condition is what must hold of a key for a write to happen: nothing, that it is absent, present, or of a number.
type condition struct {
	absent, present bool
	seq             uint64
}

func conditionOf(r *http.Request) (c condition, err error) {
	match, none := allOf(r, "If-Match"), allOf(r, "If-None-Match")
	switch {
	case match != "" && none != "":
		return c, badRequest("there are both If-Match and If-None-Match; send one of them")
	case none == "*":
		c.absent = true
	case none != "":
		return c, badRequest(`If-None-Match of a write must be *`)
	case match == "*":
		c.present = true
	case match != "":
		digits, ok := strings.CutPrefix(match, `"`)
		digits, ok2 := strings.CutSuffix(digits, `"`)
		if c.seq, err = strconv.ParseUint(digits, 10, 64); err != nil || !ok || !ok2 || c.seq == 0 {
			return c, badRequest(`If-Match must be * or one ETag of a key, such as "17"`)
		}
	}
	return c, nil
}

// allOf returns all lines of a header as one, as they are meant.
func allOf(r *http.Request, header string) string { return strings.Join(r.Header.Values(header), ", ") }

func (c condition) isNone() bool { return c == condition{} }

// holds returns the error for a condition that does not.
func (c condition) holds(in reader, key []byte) error {
	it, err := find(in, key)
	switch {
	case err != nil && !errors.Is(err, tinykv.ErrNotFound):
		return err
	case err != nil && c.absent:
		return nil
	case err != nil:
		return preconditionFailed("there is no such key")
	case c.absent:
		return preconditionFailed("the key is there already")
	case c.seq != 0 && it.Seq != c.seq:
		return preconditionFailed("the key was written since; read it again")
	default:
		return nil
	}
}

// isNamed tells whether the If-None-Match of a request for a value names its ETag: it may be a list, weak ones are as good here, and * names all.
func isNamed(r *http.Request, tag string) bool {
	for _, line := range r.Header.Values("If-None-Match") {
		for one := range strings.SplitSeq(line, ",") {
			if one = strings.TrimSpace(one); one == "*" || tag != "" && strings.TrimPrefix(one, "W/") == tag {
				return true
			}
		}
	}
	return false
}
