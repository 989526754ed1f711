package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

type watchCommand struct {
	hexFlag
	bucketFlag
	rangeFlags
	JSON  bool     `name:"json" help:"An object on each line, as the server tells it."`
	Since uint64   `placeholder:"SEQ" help:"Begin behind the change of this number. Default: with those from now on."`
	Limit positive `short:"n" placeholder:"N" help:"End after so many."`
}

// maxChange bounds a line of a watch: the largest value that is told, with all its bytes as escapes.
const maxChange = 64 << 20

// Run prints changes as a server tells them, until it is interrupted.
func (c *watchCommand) Run(e *environment) error {
	r, err := c.bounds(c.hexFlag)
	if err != nil {
		return err
	}
	s, err := e.running()
	if err != nil {
		return err
	}
	q := remoteSpace{s, c.Bucket}.bounded(r)
	if c.Since > 0 {
		q.Set("since", strconv.FormatUint(c.Since, 10))
	}
	a, err := s.send(http.MethodGet, "/v1/watch", q, nil)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if e.ctx.Err() == nil && isTerminal(e.errors) {
		e.say("watching; Ctrl-C ends it")
	}
	err = c.lines(e, bufio.NewScanner(a.Body))
	if e.ctx.Err() != nil {
		return nil // that is how it ends
	}
	return err
}

// running returns the server of --server, or the one that has the store open.
func (e *environment) running() (*remoteSite, error) {
	if e.server != "" {
		return dialURL(e)
	}
	if e.db == "" {
		return nil, errNoStore
	}
	if s := dialSocket(e); s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("no server has %s open; start one with tinykv serve, or name one by --server URL", e.db)
}

func (c *watchCommand) lines(e *environment, lines *bufio.Scanner) error {
	lines.Buffer(nil, maxChange)
	n := 0
	for lines.Scan() {
		told, err := c.line(e, lines.Bytes())
		if err = errors.Join(err, e.out.Flush()); err != nil {
			return err
		}
		if told {
			n++
		}
		if c.Limit > 0 && n == int(c.Limit) {
			return nil
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("the watch broke off: %w", err)
	}
	return errors.New("the server ended the watch")
}

// change is a line of a watch.
type change struct {
	Op       string  `json:"op"`
	Upper    *string `json:"upper"`
	UpperHex *string `json:"upper_hex"`
	Bucket   string  `json:"bucket"`

	ValueBytes int `json:"value_bytes"`
	jsonItem

	Error struct{ Code, Message string } `json:"error"`
}

// line prints a change, and reports whether it was one: there are signs of life, too.
func (c *watchCommand) line(e *environment, text []byte) (bool, error) {
	var ch change
	if err := json.Unmarshal(text, &ch); err != nil {
		return false, fmt.Errorf("the server's answer cannot be read: %w", err)
	}
	switch {
	case ch.Error.Message != "":
		return false, answeredError{ch.Error.Code, ch.Error.Message}
	case ch.Op == "":
		return false, nil
	case c.JSON:
		e.printf("%s\n", text)
	default:
		return true, c.print(e, &ch)
	}
	return true, nil
}

func (c *watchCommand) print(e *environment, ch *change) error {
	k, err := unJSON(ch.Key, ch.KeyHex)
	if err != nil {
		return err
	}
	v, err := unJSON(ch.Value, ch.ValueHex)
	if err != nil {
		return err
	}
	e.printf("#%d\t%s\t%s", ch.Seq, strings.ReplaceAll(ch.Op, "_", " "), c.text(k))
	switch {
	case ch.Op == "delete_range":
		upper, err := unJSON(ch.Upper, ch.UpperHex)
		if err != nil {
			return err
		}
		if upper == nil {
			e.printf(" up to the end")
		} else {
			e.printf(" up to %s", c.text(upper))
		}
	case ch.ValueBytes > 0:
		e.printf("\t(%d bytes)", ch.ValueBytes)
	case ch.Op == "put" || ch.Op == "merge":
		e.printf("\t%s", c.text(v))
	}
	if ch.Op == "put" && !ch.ExpiresAt.IsZero() {
		e.printf("\texpires %s", ch.ExpiresAt.UTC().Format(time.RFC3339))
	}
	e.printf("\n")
	return nil
}
