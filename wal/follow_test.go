package wal

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/tinykv/tinykv/internal/corrupt"
)

// follow returns the names of the records that a Follower finds from a mark on, and how that ends.
func (j *journal) follow(mark uint64) string {
	f, ok := j.log.Follow(mark)
	if !ok {
		return "gone"
	}
	return rest(f)
}

// rest returns what else a Follower finds.
func rest(f *Follower) string {
	var names []string
	for {
		payload, err := f.Next()
		switch {
		case errors.Is(err, ErrGone):
			return strings.Join(names, " ")
		case errors.Is(err, corrupt.ErrCorrupt):
			return strings.Join(append(names, "damage"), " ")
		case err != nil:
			return err.Error()
		}
		name, _, _ := strings.Cut(strings.TrimRight(string(payload), "."), "*")
		names = append(names, name)
	}
}

func TestFollower_ReadsWhatWasFlushedFromTheSegmentOfAMark(t *testing.T) {
	for _, c := range []struct {
		name, script string
		mark         uint64
		want         string
	}{
		{"nothing there", "", 0, ""},
		{"one segment", "put a b c; flush", 0, "a b c"},
		{"not flushed", "put a; flush; put b", 0, "a"},
		{"behind a mark in the segment", "put a b c; flush", 2, "a b c"},
		{"several segments", "put a; rotate; put b; rotate; put c; sync", 0, "a b c"},
		{"from a later one", "put a; rotate; put b; rotate; put c; sync", 2, "c"},
		{"a segment without records", "put a; rotate; rotate; put b; flush", 0, "a b"},
		{"records over many blocks", "put a*100000 b*40000 c; rotate; put d*70000 e; flush", 0, "a b c d e"},
		{"gone", "put a b; rotate; put c; sync; retire 2", 1, "gone"},
		{"what is gone was passed", "put a b; rotate; put c; sync; retire 2", 2, "c"},
		{"the file of a retired segment is used again", "put a b; rotate; put c; rotate; put d; sync; retire 3; put e; rotate; put f; flush", 3, "d e f"},
	} {
		t.Run(c.name, func(t *testing.T) { same(t, begin(t, c.script).follow(c.mark), c.want) })
	}
}

func TestFollower_GoesOnWhereTheLogDoes(t *testing.T) {
	j := begin(t, "put a; flush")
	f, _ := j.log.Follow(0)
	same(t, rest(f), "a")
	j.run("put b*32700; flush")
	same(t, rest(f), "b")
	j.run("put c*50000; rotate")
	same(t, rest(f), "c")
	j.run("rotate; put d; flush")
	same(t, rest(f), "d")
	j.run("rotate")
	same(t, rest(f), "")
	j.run("put e; sync; keep 0")
	same(t, rest(f), "e")
}

// A segment that is given up while a Follower is in it is not read any more, whatever its file is used for.
func TestFollower_TellsThatTheLogHasGoneOnWithoutIt(t *testing.T) {
	j := begin(t, "put a; flush")
	f, _ := j.log.Follow(0)
	if _, err := f.Next(); err != nil {
		t.Fatal(err)
	}
	j.run("put b; rotate; put c; sync; keep 0; rotate; put d; flush") // the file of a and b holds d now
	same(t, rest(f), "")
	must(t, j.log.Close())
	if _, ok := j.log.Follow(9); ok {
		t.Error("a closed log is followed")
	}
}

func TestFollower_NeverReturnsADamagedRecord(t *testing.T) {
	j := begin(t, "put a b c; flush")
	if _, err := j.log.live[0].log.WriteAt([]byte("x"), headerLen+chunkHeaderLen+1+chunkHeaderLen); err != nil {
		t.Fatal(err)
	}
	same(t, j.follow(0), "a damage")
}

// While segments are begun, given up and used again, a Follower returns records as they were written, in order, or that they are gone.
func TestFollower_ReadsBesideAWriter(t *testing.T) {
	j := begin(t, "")
	done := make(chan struct{})
	var followers sync.WaitGroup
	for range 3 {
		followers.Go(func() {
			for over := false; !over; {
				select {
				case <-done:
					over = true
				default:
				}
				f, ok := j.log.Follow(j.log.SyncedMark())
				for last := 0; ok; {
					payload, err := f.Next()
					if err != nil && !errors.Is(err, ErrGone) {
						t.Error(err)
					}
					if err != nil {
						break
					}
					n := number(strings.TrimRight(string(payload), "."))
					if last > 0 && n != last+1 || len(payload) != 20+n%3000 {
						t.Errorf("%d in %d bytes follows %d", n, len(payload), last)
					}
					last = n
				}
			}
		})
	}
	for n := 1; n <= 3000; n++ {
		must(t, j.put(fmt.Sprintf("%d*%d", n, 20+n%3000)))
		must(t, j.log.Flush(n%50 == 0))
		if n%20 == 0 {
			must(t, j.log.Retire(j.log.Number()))
		}
	}
	close(done)
	followers.Wait()
}
