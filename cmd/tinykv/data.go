package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/tinykv/tinykv"
)

type getCommand struct {
	hexFlag
	bucketFlag
	Raw  bool   `short:"r" xor:"form" help:"Write the bytes of the value and nothing else."`
	JSON bool   `name:"json" xor:"form" help:"As JSON, with when it expires and the number of its write."`
	Key  string `arg:"" help:"The key."`
}

// Run prints the value.
func (c *getCommand) Run(e *environment) error {
	k, err := c.bytes(c.Key)
	if err != nil {
		return err
	}
	return e.look(func(s site) error {
		in, err := c.in(s)
		if err != nil {
			return err
		}
		if c.JSON {
			item, err := in.item(k)
			if err != nil {
				return e.orAbsent(c.hexFlag, k, err)
			}
			j := c.jsonItem(&item, true)
			j.Seq = item.Seq
			return e.jsonLine(j)
		}
		v, err := in.get(k)
		if err != nil {
			return e.orAbsent(c.hexFlag, k, err)
		}
		if c.Raw {
			_, err := e.out.Write(v)
			return err
		}
		c.write(e.out, v)
		return e.out.WriteByte('\n')
	})
}

// orAbsent names the key in the error that says that it is absent.
func (e *environment) orAbsent(x hexFlag, k []byte, err error) error {
	if errors.Is(err, tinykv.ErrNotFound) {
		e.say("tinykv: key not found: %s", x.short(k))
		return quietError{err}
	}
	return err
}

// maxValue is how large a value may be.
const maxValue = min(1<<30, (math.MaxInt>>5)+1)

type putCommand struct {
	hexFlag
	bucketFlag
	Create bool     `help:"Make the store if it is not there."`
	TTL    lifetime `name:"ttl" placeholder:"1h30m" help:"The key is absent again after so long."`
	Key    string   `arg:"" help:"The key."`
	Value  string   `arg:"" help:"The value, or - for what comes from standard input."`
}

// Run puts a key, and returns when it is on stable storage.
func (c *putCommand) Run(e *environment) error {
	k, err := c.bytes(c.Key)
	if err != nil {
		return err
	}
	v, err := c.value(e)
	if err != nil {
		return err
	}
	return e.at(&tinykv.Options{ErrorIfMissing: !c.Create}, func(s site) error {
		return s.bucket(c.Bucket).put(k, v, writing{ttl: time.Duration(c.TTL)})
	})
}

// value returns the value; from standard input it is taken as it comes.
func (c *putCommand) value(e *environment) ([]byte, error) {
	if c.Value != "-" {
		return c.bytes(c.Value)
	}
	v, err := readBounded(e.input(), maxValue)
	switch {
	case errors.Is(err, errTooMuch):
		return nil, usageError{fmt.Sprintf("standard input holds more than %s, which is as large as a value may be", sizeText(maxValue))}
	case err != nil && e.ctx.Err() == nil:
		return nil, fmt.Errorf("standard input: %w", err)
	}
	return v, err
}

type delCommand struct {
	hexFlag
	bucketFlag
	Range bool     `help:"Delete all keys from the first one up to, but without, the second."`
	Keys  []string `arg:"" name:"key" help:"The keys, or the two ends of a range."`
}

// Run deletes the keys, all or none. One that is not there is no error.
func (c *delCommand) Run(e *environment) error {
	if c.Range && len(c.Keys) != 2 {
		return usageError{"--range wants two keys: where it begins, and the first one that stays"}
	}
	var keys [][]byte
	for _, text := range c.Keys {
		k, err := c.bytes(text)
		if err != nil {
			return err
		}
		keys = append(keys, k)
	}
	return e.at(&tinykv.Options{ErrorIfMissing: true}, func(s site) error {
		in, err := c.in(s)
		if err != nil {
			return err
		}
		if c.Range {
			return in.deleteRange(tinykv.Between(keys[0], keys[1]))
		}
		return s.deleteKeys(c.Bucket, keys)
	})
}
