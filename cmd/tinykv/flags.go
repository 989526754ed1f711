package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/alecthomas/kong"

	"github.com/tinykv/tinykv/internal/shell"
)

// positive is a number from 1 on; 0 stands for none that was given, and cannot be given.
type positive int

// Decode reads it from the command line.
func (p *positive) Decode(c *kong.DecodeContext) error {
	var text string
	if err := c.Scan.PopValueInto("number", &text); err != nil {
		return err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return fmt.Errorf("%q is no number from 1 on", text)
	}
	*p = positive(n)
	return nil
}

// lifetime is how long a value lives; 0 stands for none that was given, and cannot be given.
type lifetime time.Duration

// Decode reads it from the command line, as the shell does.
func (l *lifetime) Decode(c *kong.DecodeContext) error {
	var text string
	if err := c.Scan.PopValueInto("time", &text); err != nil {
		return err
	}
	d, err := shell.Lifetime(text)
	if err != nil {
		return err
	}
	*l = lifetime(d)
	return nil
}
