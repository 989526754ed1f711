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

// maxPrefixes bounds what lies below one prefix.
const maxPrefixes = 10_000

// duNode is a prefix of the tree.
type duNode struct {
	Prefix    *string `json:"prefix,omitempty"`
	PrefixHex *string `json:"prefix_hex,omitempty"`
	Depth     int     `json:"depth"`
	Keys      uint64  `json:"keys"`
	Bytes     uint64  `json:"bytes"`           // about, of disk
	Alone     bool    `json:"alone,omitempty"` // of the keys below the prefix those without a further separator

	prefix []byte
}

// Run counts the keys under each prefix. It goes over all of them, once for each level, and reads no values.
func (c *duCommand) Run(e *environment) error {
	prefix, err := c.bytes(c.Prefix)
	if err != nil {
		return err
	}
	if c.Depth < 1 || c.Sep == "" {
		return usageError{"--depth wants a positive number, --sep at least one byte"}
	}
	return e.look(func(s site) error {
		in, err := c.in(s)
		if err != nil {
			return err
		}
		nodes, err := c.tree(e, in, prefix, 1)
		if err != nil {
			return err
		}
		return c.print(e, nodes)
	})
}

// tree returns the prefixes below one, with those below them behind each, and at the end, as one, the keys that lie under none.
func (c *duCommand) tree(e *environment, in space, prefix []byte, depth int) (nodes []*duNode, err error) {
	all := tinykv.Prefix(prefix)
	alone := c.node(prefix, depth)
	alone.Alone = true
	if alone.Bytes, err = in.size(all); err != nil {
		return nil, err
	}
	for rest, more := all, true; more; {
		next, n, err := c.next(e, in, rest, len(prefix))
		alone.Keys += n
		if err != nil || next == nil {
			return appendAlone(nodes, alone), err
		}
		if len(nodes) == maxPrefixes {
			return nil, usageError{fmt.Sprintf("there are more than %d prefixes; choose another --sep, or a PREFIX", maxPrefixes)}
		}
		below := tinykv.Prefix(next)
		node := c.node(next, depth)
		if node.Keys, err = in.count(e.ctx, below); err != nil {
			return nil, err
		}
		if node.Bytes, err = in.size(below); err != nil {
			return nil, err
		}
		alone.Bytes -= min(node.Bytes, alone.Bytes)
		nodes = append(nodes, node)
		if depth < c.Depth {
			deeper, err := c.tree(e, in, next, depth+1)
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, deeper...)
		}
		rest, more = tinykv.Between(below.Upper, all.Upper), below.Upper != nil
	}
	return appendAlone(nodes, alone), nil
}

func appendAlone(nodes []*duNode, alone *duNode) []*duNode {
	if alone.Keys == 0 {
		return nodes
	}
	return append(nodes, alone)
}

// next returns the first prefix in a range, up to a separator behind the first n bytes, and how many keys without one stand before it.
func (c *duCommand) next(e *environment, in space, r tinykv.Range, n int) (prefix []byte, before uint64, err error) {
	for i, err := range in.scan(r, scanning{keysOnly: true}) {
		if err == nil {
			err = context.Cause(e.ctx)
		}
		if err != nil {
			return nil, before, err
		}
		if at := bytes.Index(i.Key[n:], []byte(c.Sep)); at >= 0 {
			return i.Key[:n+at+len(c.Sep)], before, nil
		}
		before++
	}
	return nil, before, nil
}

func (c *duCommand) node(prefix []byte, depth int) *duNode {
	n := &duNode{Depth: depth, prefix: prefix}
	n.Prefix, n.PrefixHex = c.jsonText(prefix)
	return n
}

// text is the prefix, or says that it is of keys without a further separator.
func (n *duNode) text(x hexFlag) string {
	switch {
	case !n.Alone:
		return x.text(n.prefix)
	case len(n.prefix) == 0:
		return "(the rest)"
	default:
		return x.text(n.prefix) + " (the rest)"
	}
}

const duBar = 20 // columns

func (c *duCommand) print(e *environment, nodes []*duNode) error {
	form := c.form("json", "")
	if form != "" {
		l := newList(e, form, "prefix", ">depth", ">keys", ">bytes")
		var err error
		for _, n := range nodes {
			if err == nil {
				err = l.row(n, append([]string{n.text(c.hexFlag)}, cellsOf(n.Depth, n.Keys, n.Bytes)...)...)
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
		e.duLine(n.Keys, n.Bytes, size, strings.Repeat("  ", n.Depth-1)+n.text(c.hexFlag))
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
