// Package classroom keeps a child process with a small store of its own, made for people who want to see a store work, and to pull its
// plug: the child is killed as kill -9 does it, and started again.
//
// The child is a server on a unix socket. It lives as long as its standard input is open, so that it ends with its parent, however that
// ends, and says on its standard output, in one line of JSON, that it is ready.
package classroom

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"sync"
	"time"
)

// Options say how the child is made.
type Options struct {
	// Command returns the command that starts the child, which listens on Socket. It is called at each start.
	Command func() *exec.Cmd

	// Socket is the path of the unix socket, in a directory that nobody else can reach.
	Socket string

	// StartTimeout is how long the child may take to be ready. Default: 10 s.
	StartTimeout time.Duration
}

// Ready is what the child says once it serves.
type Ready struct {
	Records  int   `json:"recovered_records"` // that it found in its log
	LogBytes int64 `json:"recovered_bytes"`
}

// Status tells about the child.
type Status struct {
	State  string `json:"state"` // running, starting or down
	PID    int    `json:"pid"`   // 0 when there is none
	Starts int    `json:"starts"`
	Error  string `json:"error,omitempty"` // why it is down
}

// Pulled is what came of a pulled plug.
type Pulled struct {
	Killed           int   `json:"killed_pid"`
	PID              int   `json:"pid"`
	DownMS           int64 `json:"down_ms"` // from the kill until it served again
	RecoveredRecords int   `json:"recovered_records"`
	RecoveredBytes   int64 `json:"recovered_bytes"`
}

// States of a child.
const (
	running  = "running"
	starting = "starting"
	down     = "down"
)

// ErrClosed is returned by a room that was closed.
var ErrClosed = errors.New("the classroom is closed")

// Room is a classroom. As an http.Handler it passes requests on to the child. It may be used concurrently.
type Room struct {
	opts  Options
	proxy *httputil.ReverseProxy

	pulling sync.Mutex // held while the child is killed and started; taken before mu

	mu      sync.Mutex
	status  Status    // guarded by mu
	closed  bool      // guarded by mu
	started time.Time // guarded by mu; the last start
	child   *child    // guarded by mu; nil when there is none
}

// child is a running process.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	ended chan struct{} // closed when it is gone
}

// Open starts the child and waits until it serves.
func Open(ctx context.Context, opts Options) (*Room, error) {
	if opts.StartTimeout == 0 {
		opts.StartTimeout = 10 * time.Second
	}
	r := &Room{opts: opts, status: Status{State: down}}
	r.proxy = r.proxyTo(opts.Socket)
	r.pulling.Lock()
	defer r.pulling.Unlock()
	if _, err := r.start(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// proxyTo passes requests on to a unix socket. Who asks, and from where, was settled before: the child trusts its socket.
func (r *Room) proxyTo(socket string) *httputil.ReverseProxy {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &httputil.ReverseProxy{
		Rewrite: func(q *httputil.ProxyRequest) {
			q.SetURL(&url.URL{Scheme: "http", Host: "localhost"})
			q.Out.Host = "localhost"
			for _, name := range []string{"Origin", "Authorization", "Cookie", "Sec-Fetch-Site", "Referer"} {
				q.Out.Header.Del(name)
			}
		},
		Transport:     &http.Transport{DialContext: dial, DisableCompression: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute},
		FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			go r.revive()
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, `{"error":{"code":"down","message":"the classroom's process is down; it starts again by itself, ask once more"}}`+"\n")
		},
		ErrorLog: nil,
	}
}

// ServeHTTP passes a request on to the child. The child may answer before it has the body of the request, as one does who needs none: without full
// duplex the body would be closed by the first byte of the answer, while it is still being passed on, and that would cut the answer off.
func (r *Room) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	_ = http.NewResponseController(w).EnableFullDuplex() // where there is no connection, nothing is closed
	r.proxy.ServeHTTP(w, q)
}

// Status tells how the child is.
func (r *Room) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Plug kills the child, which gets no chance to write anything any more, and starts it again. Two at once wait for one another.
func (r *Room) Plug(ctx context.Context) (Pulled, error) {
	r.pulling.Lock()
	defer r.pulling.Unlock()
	begin := time.Now()
	p := Pulled{Killed: r.kill()}
	ready, err := r.start(ctx)
	if err != nil {
		return p, err
	}
	p.PID, p.DownMS = r.Status().PID, time.Since(begin).Milliseconds()
	p.RecoveredRecords, p.RecoveredBytes = ready.Records, ready.LogBytes
	return p, nil
}

// kill ends the child, if there is one, and returns its number.
func (r *Room) kill() (pid int) {
	r.mu.Lock()
	c := r.child
	r.child = nil
	r.status.State, r.status.PID = down, 0
	r.mu.Unlock()
	if c == nil {
		return 0
	}
	_ = c.cmd.Process.Kill() // it may be gone already
	<-c.ended
	_ = c.stdin.Close()
	return c.cmd.Process.Pid
}

// reviveAfter is how long after its last start a child that has ended is started again: one that cannot live must not keep a processor busy.
const reviveAfter = time.Second

// revive starts a child when somebody has asked for one that is down, unless that is being done.
func (r *Room) revive() {
	if !r.pulling.TryLock() {
		return
	}
	defer r.pulling.Unlock()
	r.mu.Lock()
	due := r.child == nil && !r.closed && time.Since(r.started) >= reviveAfter
	r.mu.Unlock()
	if due {
		_, _ = r.start(context.Background()) // how it went is in its status
	}
}

// start starts a child and waits until it is ready. The caller holds pulling.
func (r *Room) start(ctx context.Context) (ready Ready, err error) {
	if err := r.starting(); err != nil {
		return ready, err
	}
	c, ready, err := r.launch(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.status.State, r.status.Error = down, err.Error()
		return ready, err
	}
	r.child, r.status.State, r.status.PID, r.status.Error = c, running, c.cmd.Process.Pid, ""
	go r.await(c)
	return ready, nil
}

func (r *Room) starting() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	r.status.State = starting
	r.status.Starts++
	r.started = time.Now()
	return nil
}

// await notes that a child has ended by itself.
func (r *Room) await(c *child) {
	<-c.ended
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.child == c {
		r.child = nil
		r.status.State, r.status.PID, r.status.Error = down, 0, "it ended: "+c.cmd.ProcessState.String()
	}
}

// launch runs the command and reads the line that says that it is ready.
func (r *Room) launch(ctx context.Context) (*child, Ready, error) {
	cmd := r.opts.Command()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, Ready{}, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, Ready{}, err
	}
	if err := cmd.Start(); err != nil {
		return nil, Ready{}, fmt.Errorf("the classroom's process does not start: %w", err)
	}
	c := &child{cmd: cmd, stdin: stdin, ended: make(chan struct{})}
	said := make(chan string, 1)
	go func() {
		defer close(c.ended)
		out := bufio.NewReader(io.LimitReader(stdout, 64<<10))
		line, _ := out.ReadString('\n') // what is missing of it shows below
		said <- line
		_, _ = io.Copy(io.Discard, stdout)
		_ = cmd.Wait() // how it ended is in its ProcessState
	}()
	ctx, cancel := context.WithTimeout(ctx, r.opts.StartTimeout)
	defer cancel()
	var ready Ready
	select {
	case line := <-said:
		if err = json.Unmarshal([]byte(line), &ready); err == nil {
			return c, ready, nil
		}
		err = errors.New("the classroom's process ended before it was ready")
	case <-ctx.Done():
		err = fmt.Errorf("the classroom's process is not ready: %w", context.Cause(ctx))
	}
	_ = cmd.Process.Kill()
	<-c.ended
	return nil, Ready{}, err
}

// Close ends the child for good.
func (r *Room) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.pulling.Lock()
	defer r.pulling.Unlock()
	r.kill()
	return nil
}
