package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/tinykv/tinykv/bench/peers/engine"
)

const (
	childArg = "child"
	answer   = "#" // what a line of a child begins with that is meant for the parent: engines print, too

	hangs = 10 * time.Second // after which a child that says nothing is taken to hang

	batches = 500 // of a store whose bits are flipped
)

// config gives memtables of 256 KiB and syncs every write.
var config = engine.Config{Profile: engine.Equal, Sync: true, MemoryLimit: 8 << 20}

func keyOf(n int) []byte { return fmt.Appendf(nil, "key%06d", n) }

// valueEnv tells a child how long values are.
const valueEnv = "TINYKV_FAULTS_VALUE"

// valueOf returns a value of the length that the environment says. By it a log has several blocks of 32 KiB, or less than one.
func valueOf(n int) []byte {
	const before = "value of key "
	bytes, _ := strconv.Atoi(os.Getenv(valueEnv))
	return fmt.Appendf(nil, before+"%0*d", max(bytes-len(before), 6), n)
}

// serve does what it is told, a line at a time:
//
//	fill DIR      makes a store: half of the batches, closed and opened again, the other half; then waits to be killed
//	close DIR     the same, and closes it
//	check DIR     opens a store and reads all of it
//	grow DIR      writes until it is killed, and tells of every acknowledgement and every error
//	count DIR     opens a store and counts the keys from 0 on that grow has written
func serve(name string, in io.Reader, out io.Writer) error {
	e, err := find(name)
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		what, dir, _ := strings.Cut(lines.Text(), " ")
		switch what {
		case "fill", "close":
			err = fill(e, dir, what == "close")
			fmt.Fprintln(out, answer+result(err, "done"))
		case "check":
			fmt.Fprintln(out, answer+check(e, dir))
		case "grow":
			grow(e, dir, out)
		case "count":
			n, err := countKeys(e, dir)
			fmt.Fprintln(out, answer+result(err, fmt.Sprint(n)))
		}
	}
	return nil
}

func result(err error, otherwise string) string {
	if err != nil {
		return "error " + strings.ReplaceAll(err.Error(), "\n", " ")
	}
	return otherwise
}

func fill(e engine.Engine, dir string, closeIt bool) error {
	for half := range 2 {
		s, err := e.Open(dir, config)
		if err != nil {
			return err
		}
		session, err := s.NewSession(1)
		if err != nil {
			return err
		}
		for n := half * batches / 2; n < (half+1)*batches/2; n++ {
			if err := session.PutBatch([][]byte{keyOf(n)}, [][]byte{valueOf(n)}); err != nil {
				return err
			}
		}
		if half == 1 && !closeIt {
			return nil
		}
		if err := errors.Join(session.Close(), s.Close()); err != nil {
			return err
		}
	}
	return nil
}

// check tells what a store holds: "whole", "error ...", "lost N", or "wrong ...".
func check(e engine.Engine, dir string) string {
	s, err := e.Open(dir, config)
	if err != nil {
		return result(err, "")
	}
	missing, first, wrong, err := compare(s)
	cerr := s.Close()
	switch {
	case err != nil:
		return result(err, "")
	case wrong != "":
		return "wrong " + wrong
	case missing > 0:
		return fmt.Sprintf("lost %d %d", missing, first)
	case cerr != nil:
		return result(cerr, "")
	}
	return "whole"
}

// compare reads a store by an iterator and by lookups.
func compare(s engine.Store) (missing, first int, wrong string, err error) {
	session, err := s.NewSession(1)
	if err != nil {
		return 0, 0, "", err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	seen := map[string]bool{}
	it, err := session.NewIterator(engine.Plan{Entries: batches})
	if err != nil {
		return 0, 0, "", err
	}
	for ok := it.First(); ok; ok = it.Next() {
		v, verr := it.Value()
		if verr != nil {
			return 0, 0, "", errors.Join(verr, it.Close())
		}
		n := -1
		if _, serr := fmt.Sscanf(string(it.Key()), "key%06d", &n); serr != nil || string(it.Key()) != string(keyOf(n)) || string(v) != string(valueOf(n)) {
			wrong = fmt.Sprintf("%q", it.Key())
		}
		seen[string(it.Key())] = true
	}
	if err := it.Close(); err != nil {
		return 0, 0, "", err
	}
	for n := range batches {
		found, gerr := session.Get(keyOf(n), func(v []byte) error {
			if string(v) != string(valueOf(n)) {
				wrong = fmt.Sprintf("%q", keyOf(n))
			}
			return nil
		})
		if gerr != nil {
			return 0, 0, "", gerr
		}
		if !found || !seen[string(keyOf(n))] {
			if missing++; missing == 1 {
				first = n
			}
		}
	}
	return missing, first, wrong, nil
}

// grownValue is what each write of grow stores: too much for a small disk after some thousands of them.
func grownValue(n int) []byte {
	v := make([]byte, 1024)
	for i := 0; i+8 <= len(v); i += 8 {
		binary.LittleEndian.PutUint64(v[i:], (uint64(n)*131+uint64(i))*0x9e3779b97f4a7c15)
	}
	return v
}

func grow(e engine.Engine, dir string, out io.Writer) {
	s, err := e.Open(dir, config)
	if err != nil {
		fmt.Fprintln(out, answer+result(err, ""))
		return
	}
	session, err := s.NewSession(1)
	if err != nil {
		fmt.Fprintln(out, answer+result(err, ""))
		return
	}
	for n := 0; ; {
		if err := session.Put(keyOf(n), grownValue(n)); err != nil {
			fmt.Fprintln(out, answer+result(err, ""))
			<-time.After(100 * time.Millisecond) // as a program that tries again would
			continue
		}
		n++
		fmt.Fprintln(out, answer+"ack", n)
	}
}

func countKeys(e engine.Engine, dir string) (n int, err error) {
	s, err := e.Open(dir, config)
	if err != nil {
		return 0, err
	}
	session, err := s.NewSession(1)
	if err != nil {
		return 0, err
	}
	for {
		right := false
		found, err := session.Get(keyOf(n), func(v []byte) error { right = string(v) == string(grownValue(n)); return nil })
		if err != nil {
			return n, err
		}
		if !found || !right {
			return n, errors.Join(session.Close(), s.Close())
		}
		n++
	}
}

// worker is a child as its parent sees it.
type worker struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string // answers; closed when the child has ended
}

func startWorker(name string) (*worker, error) {
	w := &worker{cmd: exec.Command(os.Args[0], childArg, name), lines: make(chan string, 1024)}
	in, err := w.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.in = in
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if text, ok := strings.CutPrefix(lines.Text(), answer); ok {
				w.lines <- text
			}
		}
		close(w.lines)
	}()
	return w, nil
}

// tell gives an order.
func (w *worker) tell(what, dir string) error {
	_, err := fmt.Fprintln(w.in, what, dir)
	return err
}

// ask gives an order and waits for the answer; "exit" when the child has ended, "hang" when it says nothing for a long time.
func (w *worker) ask(what, dir string) string {
	if w.tell(what, dir) != nil {
		return "exit"
	}
	select {
	case text, ok := <-w.lines:
		if !ok {
			return "exit"
		}
		return text
	case <-time.After(hangs):
		return "hang"
	}
}

// kill ends the child by SIGKILL and waits for it.
func (w *worker) kill() {
	_ = w.cmd.Process.Kill()
	for range w.lines {
	}
	_ = w.cmd.Wait()
}
