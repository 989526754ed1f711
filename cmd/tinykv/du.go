package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/tinykv/tinykv"
)

type duCommand struct {
	hexFlag
	bucketFlag
	formatFlag
	Prefix string `arg:"" optional:"" help:"Keys that begin with this. Default: all."`
	Depth  int    `default:"1" placeholder:"N" help:"How many separators deep."`
	Sep    string `default:"/" placeholder:"TEXT" help:"What divides keys into parts."`
}

// maxPrefixes bounds the tree: keys without a separator are each a prefix of their own.
const maxPrefixes = 10_000

// duNode is a prefix of the tree.
type duNode struct {
	Prefix    *string `json:"prefix,omitempty"`
	PrefixHex *string `json:"prefix_hex,omitempty"`
	Depth     int     `json:"depth"`
	Keys      uint64  `json:"keys"`
	Bytes     uint64  `json:"bytes"` // about, of disk

	prefix []byte
	alone  bool // a key, not a prefix
}

// Run counts the keys under each prefix. It looks at one key for each and counts the rest, so that nothing is read twice.
func (c *duCommand) Run(e *environment) error {
	prefix, err := c.bytes(c.Prefix)
	if err != nil {
		return err
	}
	if c.Depth < 1 || c.Sep == "" {
		return usageError{"--depth wants a positive number, --sep at least one byte"}
	}
	return e.look(func(s site) error {
		nodes, err := c.tree(e, s.bucket(c.Bucket), prefix, 1)
		if err != nil {
			return err
		}
		return c.print(e, nodes)
	})
}

// tree returns the prefixes below one, with those below them behind each.
func (c *duCommand) tree(e *environment, in space, prefix []byte, depth int) (nodes []*duNode, err error) {
	all := tinykv.Prefix(prefix)
	for rest := all; ; {
		k, ok, err := first(in, rest)
		if err != nil || !ok {
			return nodes, err
		}
		if err := context.Cause(e.ctx); err != nil {
			return nodes, err
		}
		n := c.node(k, prefix, depth)
		r := tinykv.Prefix(n.prefix)
		if n.alone {
			r = only(n.prefix)
		}
		if n.Keys, err = in.count(e.ctx, r); err != nil {
			return nodes, err
		}
		if n.Bytes, err = in.size(r); err != nil {
			return nodes, err
		}
		if nodes = append(nodes, n); len(nodes) > maxPrefixes {
			return nodes, usageError{fmt.Sprintf("there are more than %d prefixes; choose another --sep, or a PREFIX", maxPrefixes)}
		}
		if depth < c.Depth && !n.alone {
			below, err := c.tree(e, in, n.prefix, depth+1)
			if err != nil {
				return nodes, err
			}
			nodes = append(nodes, below...)
		}
		if r.Upper == nil {
			return nodes, nil
		}
		rest = tinykv.Between(r.Upper, all.Upper)
	}
}

func first(in space, r tinykv.Range) (k []byte, ok bool, err error) {
	for i, err := range in.scan(r, scanning{limit: 1, keysOnly: true}) {
		return i.Key, err == nil, err
	}
	return nil, false, nil
}

// node returns the prefix below another that a key lies under: up to the next separator. A key without one stands for itself.
func (c *duCommand) node(k, prefix []byte, depth int) *duNode {
	n := &duNode{Depth: depth, prefix: k, alone: true}
	if at := bytes.Index(k[len(prefix):], []byte(c.Sep)); at >= 0 {
		n.prefix, n.alone = k[:len(prefix)+at+len(c.Sep)], false
	}
	n.Prefix, n.PrefixHex = c.jsonText(n.prefix)
	return n
}

const duBar = 20 // columns

func (c *duCommand) print(e *environment, nodes []*duNode) error {
	form := c.form("json", "")
	if form != "" {
		l := newList(e, form, "prefix", ">depth", ">keys", ">bytes")
		var err error
		for _, n := range nodes {
			if err == nil {
				err = l.row(n, append([]string{c.text(n.prefix)}, cellsOf(n.Depth, n.Keys, n.Bytes)...)...)
			}
		}
		return l.end(err)
	}
	var keys, size uint64
	for _, n := range nodes {
		if n.Depth == 1 {
			keys, size = keys+n.Keys, size+n.Bytes
		}
	}
	e.printf("%12s %10s %-*s prefix\n", "keys", "size", duBar, "")
	for _, n := range nodes {
		e.duLine(n.Keys, n.Bytes, size, strings.Repeat("  ", n.Depth-1)+c.text(n.prefix))
	}
	e.duLine(keys, size, size, "total")
	return nil
}

func (e *environment) duLine(keys, size, all uint64, name string) {
	bar := 0
	if all > 0 {
		bar = int(min(duBar, (size*duBar+all/2)/all))
	}
	e.printf("%12d %10s %-*s %s\n", keys, sizeText(int64(size)), duBar, strings.Repeat("#", bar), name)
}
