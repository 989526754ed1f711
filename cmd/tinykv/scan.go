package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/tinykv/tinykv"
)

type scanCommand struct {
	hexFlag
	bucketFlag
	rangeFlags
	Limit    int  `short:"n" placeholder:"N" help:"Print at most so many."`
	Reverse  bool `help:"From the last one to the first."`
	KeysOnly bool `short:"k" help:"Print no values."`
	JSON     bool `name:"json" help:"One JSON object on each line."`
}

// Run prints a key on each line and, behind a tab, its value.
func (c *scanCommand) Run(e *environment) error {
	r, err := c.bounds(c.hexFlag)
	if err != nil {
		return err
	}
	if c.Limit < 0 {
		return usageError{"--limit wants a positive number"}
	}
	return e.read(func(db *tinykv.DB) error {
		for item, err := range c.of(db).Scan(r, c.options()...) {
			if err == nil {
				err = context.Cause(e.ctx)
			}
			if err == nil {
				err = c.print(e, &item)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *scanCommand) options() (all []tinykv.ScanOption) {
	if c.Limit > 0 {
		all = append(all, tinykv.Limit(c.Limit))
	}
	if c.Reverse {
		all = append(all, tinykv.Reverse)
	}
	if c.KeysOnly {
		all = append(all, tinykv.KeysOnly)
	}
	return all
}

func (c *scanCommand) print(e *environment, item *tinykv.Item) error {
	switch {
	case c.JSON:
		return c.printJSON(e, item)
	case c.KeysOnly:
		e.printf("%s\n", c.text(item.Key))
	default:
		e.printf("%s\t%s\n", c.text(item.Key), c.text(item.Value))
	}
	return nil
}

// jsonItem has text where bytes are UTF-8, and hexadecimal digits where not or where they were asked for.
type jsonItem struct {
	Key      *string `json:"key,omitempty"`
	KeyHex   *string `json:"key_hex,omitempty"`
	Value    *string `json:"value,omitempty"`
	ValueHex *string `json:"value_hex,omitempty"`

	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

func (c *scanCommand) printJSON(e *environment, item *tinykv.Item) error {
	var j jsonItem
	j.Key, j.KeyHex = c.jsonText(item.Key)
	if !c.KeysOnly {
		j.Value, j.ValueHex = c.jsonText(item.Value)
	}
	if !item.ExpiresAt.IsZero() {
		j.ExpiresAt = item.ExpiresAt.UTC()
	}
	enc := json.NewEncoder(e.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(j)
}

func (f hexFlag) jsonText(b []byte) (text, digits *string) {
	if f.Hex || !utf8.Valid(b) {
		s := hex.EncodeToString(b)
		return nil, &s
	}
	s := string(b)
	return &s, nil
}

type countCommand struct {
	hexFlag
	bucketFlag
	rangeFlags
	JSON bool `name:"json" help:"As JSON."`
}

// Run prints the exact number of keys.
func (c *countCommand) Run(e *environment) error {
	r, err := c.bounds(c.hexFlag)
	if err != nil {
		return err
	}
	return e.read(func(db *tinykv.DB) error {
		n, err := c.of(db).Count(e.ctx, r)
		if err != nil {
			return err
		}
		if c.JSON {
			return e.json(map[string]uint64{"count": n})
		}
		e.printf("%d\n", n)
		return nil
	})
}
