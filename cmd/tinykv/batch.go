package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/internal/shell"
)

// maxOperations bounds what a batch or a transaction of the command line holds in memory, in bytes of JSON.
const maxOperations = 256 << 20

// input is a file, or standard input.
type input struct {
	File string `arg:"" optional:"" default:"-" help:"The file, or - for standard input."`
}

// open returns the file; what is read from it ends with the context.
func (i input) open(e *environment) (io.ReadCloser, error) {
	if i.File == "-" {
		return io.NopCloser(e.input()), nil
	}
	return os.Open(i.File)
}

type batchCommand struct {
	input
	bucketFlag
	Create bool `help:"Make the store if it is not there."`
}

// Help tells what stands in the file.
func (c *batchCommand) Help() string {
	return `On each line stands an operation as a JSON object:

  {"op":"put","key":"fig","value":"ripe","ttl":"30s"}
  {"op":"get","key":"fig"}
  {"op":"delete","key":"kiwi"}

Bytes that are no text stand as hexadecimal digits in key_hex and value_hex. All
take effect at once or not at all; a get sees what stands before it. Of each a
line tells what became of it. A batch has at most 10,000 operations; import
takes any amount. Where a server has the store open that sets a merge operator,
as tinykv demo does, there is also {"op":"merge","key":"views","value_hex":"…"}.`
}

// Run does all operations or none, and prints a line for each.
func (c *batchCommand) Run(e *environment) error {
	ops, lines, err := c.read(e)
	if err != nil {
		return err
	}
	body := append(append([]byte(`{"ops":[`), bytes.Join(ops, []byte(","))...), "]}"...)
	return e.at(&tinykv.Options{ErrorIfMissing: !c.Create}, func(s site) error {
		answer, err := s.post("/v1/batch", c.Bucket, body)
		if err != nil {
			return inWordsOfFiles(err, "tinykv batch --help", lines)
		}
		return e.results(answer)
	})
}

// inWordsOfFiles says what a server says of a request in the words of whoever wrote the file. The lines are those of the operations, if each stands on one.
func inWordsOfFiles(err error, help string, lines []int) error {
	var a answeredError
	if !errors.As(err, &a) || !errors.Is(err, errBadRequest) {
		return err
	}
	a.message = strings.Replace(a.message, "the body", "the input", 1)
	a.message = strings.Replace(a.message, "; /openapi.json tells what is", "; "+help+" shows what is", 1)
	if place := regexp.MustCompile(`^ops\[(\d+)\]`).FindStringSubmatch(a.message); place != nil && lines != nil {
		if n, err := strconv.Atoi(place[1]); err == nil && n < len(lines) {
			a.message = fmt.Sprintf("line %d%s", lines[n], a.message[len(place[0]):])
		}
	}
	return a
}

// mostOperations is how many operations a batch may have.
const mostOperations = 10_000

// byteOrderMark is what some programs begin text with.
const byteOrderMark = "\ufeff"

// read returns the operations, and on which line each stands. What is no JSON is told at once; the rest is for the store to judge.
func (c *batchCommand) read(e *environment) (ops [][]byte, at []int, err error) {
	in, err := c.open(e)
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	text := bufio.NewScanner(io.LimitReader(in, maxOperations+1))
	text.Buffer(nil, maxOperations)
	size := 0
	for n := 1; text.Scan(); n++ {
		line := text.Bytes()
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte(byteOrderMark))
		}
		line = bytes.TrimSpace(line)
		if size += len(line); size >= maxOperations {
			return nil, nil, usageError{fmt.Sprintf("a batch has at most %s; import takes any amount, bit by bit", shell.Size(maxOperations))}
		}
		if len(line) == 0 {
			continue
		}
		if line[0] != '{' || !json.Valid(line) {
			return nil, nil, usageError{fmt.Sprintf(`line %d is no JSON object; an operation is {"op":"put","key":"fig","value":"ripe"}`, n)}
		}
		if len(ops) == mostOperations {
			return nil, nil, usageError{fmt.Sprintf("a batch has at most %d operations; import takes any amount", mostOperations)}
		}
		ops, at = append(ops, bytes.Clone(line)), append(at, n)
	}
	if errors.Is(text.Err(), bufio.ErrTooLong) {
		return nil, nil, usageError{"a line is too long for a batch"}
	}
	if len(ops) == 0 && text.Err() == nil {
		return nil, nil, usageError{"there is no operation in the input; tinykv batch --help shows some"}
	}
	return ops, at, text.Err()
}

// results prints what became of operations, each on a line.
func (e *environment) results(answer []byte) error {
	var a struct{ Results []json.RawMessage }
	if err := json.Unmarshal(answer, &a); err != nil {
		return err
	}
	for _, r := range a.Results {
		e.printf("%s\n", r)
	}
	return nil
}

type txnCommand struct {
	input
	bucketFlag
	Create bool `help:"Make the store if it is not there."`
}

// Help tells what stands in the file.
func (c *txnCommand) Help() string {
	return `The file holds one JSON object:

  {"compare": [{"key":"fig","value":"ripe"}, {"key":"kiwi","absent":true}],
   "then":    [{"op":"put","key":"kiwi","value":"hard"}],
   "else":    [{"op":"get","key":"fig"}]}

If all comparisons hold (a value, a "seq" that get --json told, or absence),
then is done, otherwise else: at once or not at all. Operations are those of
batch. The exit code is 0 if then was done and 1 if else was.`
}

// Run does one of two lists of operations, and prints a line for each.
func (c *txnCommand) Run(e *environment) error {
	in, err := c.open(e)
	if err != nil {
		return err
	}
	defer in.Close()
	body, err := readBounded(in, maxOperations)
	body = bytes.TrimPrefix(body, []byte(byteOrderMark))
	switch {
	case errors.Is(err, errTooMuch):
		return usageError{fmt.Sprintf("a transaction has at most %s", shell.Size(maxOperations))}
	case err != nil:
		return err
	case !json.Valid(body):
		return usageError{"that is no transaction as JSON; tinykv txn --help shows one"}
	}
	return e.at(&tinykv.Options{ErrorIfMissing: !c.Create}, func(s site) error {
		answer, err := s.post("/v1/txn", c.Bucket, body)
		if err != nil {
			return inWordsOfFiles(err, "tinykv txn --help", nil)
		}
		var a struct{ Succeeded bool }
		if err := errors.Join(json.Unmarshal(answer, &a), e.results(answer)); err != nil {
			return err
		}
		if !a.Succeeded {
			e.say("tinykv: a comparison does not hold, so %s was done", otherwise(body))
			return quietError{tinykv.ErrNotFound}
		}
		return nil
	})
}

// otherwise is what was done where a comparison does not hold.
func otherwise(body []byte) string {
	var in struct{ Else []json.RawMessage }
	if err := json.Unmarshal(body, &in); err != nil || len(in.Else) == 0 {
		return "nothing"
	}
	return "else"
}

type clearCommand struct {
	bucketFlag
	Buckets bool `help:"Those in all buckets, too, which stay, empty."`
	Yes     bool `help:"It is meant."`
}

// Run deletes every key outside of buckets, in one, or in all and outside of them: as one operation.
func (c *clearCommand) Run(e *environment) error {
	switch {
	case c.Buckets && c.Bucket != "":
		return usageError{"--bucket names one, --buckets means all; say one of them"}
	case !c.Yes:
		return usageError{"clear deletes every key outside of buckets, or of --bucket, or with --buckets all there are; say --yes if that is meant"}
	}
	return e.at(&tinykv.Options{ErrorIfMissing: true}, func(s site) error {
		if c.Buckets {
			_, err := s.post("/v1/clear", "", []byte(`{"confirm":"clear","buckets":true}`))
			return err
		}
		in, err := c.in(s)
		if err != nil {
			return err
		}
		return in.deleteRange(tinykv.All())
	})
}
