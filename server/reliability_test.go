package server

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tinykv/tinykv/internal/tally"
)

// Sixty-four connections read, write, scan and watch for a while, with no error and in memory that does not grow. With
// TINYKV_RELIABILITY=full they do so for a minute.
func TestReliability_ManyConnectionsForAWhile(t *testing.T) {
	const connections = 64
	d := time.Duration(tally.Pick(1, 5, 60)) * time.Second
	s := serveSite(t, Options{})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	watched, watching := make(chan int, 1), s.dial("GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n")
	go func() {
		var lines countLines
		_, _ = io.Copy(&lines, watching)
		watched <- lines.n
	}()
	var requests atomic.Int64
	end := time.Now().Add(d)
	phase := func(until time.Time) {
		var all sync.WaitGroup
		for i := range connections {
			all.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(i), 1))
				for time.Now().Before(until) {
					if err := s.someRequest(client, rnd); err != nil {
						t.Error(err)
						return
					}
					requests.Add(1)
				}
			})
		}
		all.Wait()
	}
	phase(end.Add(-d * 2 / 3)) // until all that is kept is there
	before, beforeRSS := heap(), resident()
	phase(end)
	after, afterRSS := heap(), resident()
	watching.Close()
	n := <-watched
	_, evicted, refused := s.conns.counts()
	t.Logf("%d requests, %d lines of a watch; after a third, and at the end: heap %d and %d KiB, resident %d and %d KiB",
		requests.Load(), n, before>>10, after>>10, beforeRSS>>10, afterRSS>>10)
	tally.Row{
		ID: "A24", Suite: "a server for a while", Load: fmt.Sprintf("%d connections that read, write, scan and watch for %v; heap and resident memory are looked at", connections, d),
		Faults: connections, Unit: "connections", Counts: []tally.Count{{Name: "requests", N: requests.Load()}},
		Replay: "TINYKV_RELIABILITY=full go test -run TestReliability_Many ./server",
	}.Record(t)
	if evicted+refused > 0 {
		t.Errorf("%d connections cut off, %d refused", evicted, refused)
	}
	mayGrow := uint64(tally.Pick(32, 32, 8)) << 20 // builds for the race detector have memtables there
	if after > before+mayGrow {
		t.Errorf("the heap has grown from %d to %d bytes", before, after)
	}
	if afterRSS > beforeRSS+64<<20 { // what the store maps comes and goes
		t.Errorf("the process has grown from %d to %d bytes", beforeRSS, afterRSS)
	}
	if n == 0 || requests.Load() == 0 {
		t.Error("nothing was done")
	}
	if used := s.memory.used.Load(); used != 0 {
		t.Errorf("%d bytes were not given back", used)
	}
}

// countLines counts what is written to it.
type countLines struct{ n int }

func (c *countLines) Write(p []byte) (int, error) {
	c.n += bytes.Count(p, []byte("\n"))
	return len(p), nil
}

// heap returns how much of it is in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// resident returns how much memory the process has; 0 where the system does not say.
func resident() (n uint64) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	if _, rest, ok := strings.Cut(string(text), "VmRSS:"); ok {
		_, _ = fmt.Sscan(rest, &n)
	}
	return n << 10
}

// someRequest does what clients do.
func (s *served) someRequest(client *http.Client, rnd *rand.Rand) error {
	key := fmt.Sprintf("/v1/keys/%04d", rnd.IntN(2000))
	method, path, body, typ := "GET", key, "", ""
	switch rnd.IntN(10) {
	case 0, 1, 2:
		method, body = "PUT", strings.Repeat("v", 1+rnd.IntN(2000))
	case 3:
		method = "DELETE"
	case 4:
		path = fmt.Sprintf("/v1/range?limit=100&lower=%04d", rnd.IntN(2000))
	case 5:
		method, path, typ = "POST", "/v1/batch", "application/json"
		body = fmt.Sprintf(`{"ops":[{"op":"get","key":"%04d"},{"op":"put","key":"%04d","value":"batch"}]}`, rnd.IntN(2000), rnd.IntN(2000))
	case 6:
		path = "/v1/stats"
	}
	r, err := http.NewRequest(method, "http://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", typ)
	got, err := client.Do(r)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		return err
	}
	if got.StatusCode == 404 && method == "GET" {
		return nil
	}
	if got.StatusCode > 204 {
		return fmt.Errorf("%s %s: %s %s", method, path, got.Status, text)
	}
	return nil
}
