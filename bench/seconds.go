package main

import (
	"strconv"
	"time"
)

// seconds is a flag of a time, in seconds as db_bench has it, or as time.ParseDuration does.
type seconds time.Duration

func (s *seconds) String() string { return time.Duration(*s).String() }

// Set implements flag.Value.
func (s *seconds) Set(text string) error {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		*s = seconds(time.Duration(n) * time.Second)
		return nil
	}
	d, err := time.ParseDuration(text)
	*s = seconds(d)
	return err
}
