package classroom_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tinykv/tinykv/server/classroom"
)

// The test program is also the child.
func TestMain(m *testing.M) {
	switch os.Getenv("CLASSROOM_CHILD") {
	case "":
		os.Exit(m.Run())
	case "silent":
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	case "broken":
		os.Exit(3)
	}
	socket := os.Getenv("CLASSROOM_SOCKET")
	_ = os.Remove(socket)
	l, err := net.Listen("unix", socket)
	if err != nil {
		os.Exit(4)
	}
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/early" { // answers before it has the body
				_ = http.NewResponseController(w).EnableFullDuplex()
				fmt.Fprint(w, "early")
				_ = http.NewResponseController(w).Flush()
				_, _ = io.Copy(io.Discard, r.Body)
				fmt.Fprint(w, " and late")
				return
			}
			fmt.Fprintf(w, "%d %s %s origin=%q token=%q", os.Getpid(), r.Method, r.URL.Path, r.Header.Get("Origin"), r.Header.Get("Authorization"))
		}))
	}()
	_ = json.NewEncoder(os.Stdout).Encode(classroom.Ready{Records: 7, LogBytes: 70})
	_, _ = io.Copy(io.Discard, os.Stdin) // the parent is gone
	os.Exit(0)
}

func options(t *testing.T, kind string) classroom.Options {
	t.Helper()
	dir, err := os.MkdirTemp("", "room-") // short: the path of a socket has at most some hundred bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	return classroom.Options{Socket: socket, Command: func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "CLASSROOM_CHILD="+kind, "CLASSROOM_SOCKET="+socket)
		return cmd
	}}
}

func open(t *testing.T) *classroom.Room {
	t.Helper()
	r, err := classroom.Open(t.Context(), options(t, "serve"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// ask returns what the child answers.
func ask(r *classroom.Room, change func(*http.Request)) *httptest.ResponseRecorder {
	q := httptest.NewRequest(http.MethodGet, "/v1/stats", nil)
	if change != nil {
		change(q)
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, q)
	return w
}

func TestRoom_PassesRequestsOnToTheChild(t *testing.T) {
	r := open(t)
	w := ask(r, func(q *http.Request) {
		q.Header.Set("Origin", "http://127.0.0.1:8080")
		q.Header.Set("Authorization", "Bearer secret")
	})
	if want := fmt.Sprintf(`%d GET /v1/stats origin="" token=""`, r.Status().PID); w.Body.String() != want {
		t.Errorf("the child was asked %s, want %s: what the parent has checked is not for it", w.Body, want)
	}
}

// A child that answers before it has the whole body of a request is heard to the end.
func TestRoom_PassesOnAnswersThatComeBeforeTheRequestIsWhole(t *testing.T) {
	site := httptest.NewServer(open(t))
	defer site.Close()
	body, more := io.Pipe()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, site.URL+"/early", body)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = more.Write([]byte("half of it")) }()
	w, err := site.Client().Do(q) // the other half comes when the answer has begun
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	first := make([]byte, len("early"))
	if _, err := io.ReadFull(w.Body, first); err != nil || string(first) != "early" {
		t.Fatalf("%q, %v", first, err)
	}
	_, _ = more.Write([]byte("the other half"))
	_ = more.Close()
	if rest, err := io.ReadAll(w.Body); err != nil || string(rest) != " and late" {
		t.Errorf("%q, %v; want the end of the answer", rest, err)
	}
}

func TestRoom_PulledPlugKillsTheProcessAndStartsAnother(t *testing.T) {
	r := open(t)
	before := r.Status()
	p, err := r.Plug(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	after := r.Status()
	if p.Killed != before.PID || p.PID != after.PID || p.PID == p.Killed || p.RecoveredRecords != 7 || p.RecoveredBytes != 70 {
		t.Errorf("pulled %+v between %+v and %+v", p, before, after)
	}
	if after.State != "running" || after.Starts != 2 {
		t.Errorf("%+v, want it running for the second time", after)
	}
	if w := ask(r, nil); w.Code != http.StatusOK || !strings.HasPrefix(w.Body.String(), fmt.Sprint(p.PID)) {
		t.Errorf("%d %s, want the answer of the new process", w.Code, w.Body)
	}
}

func TestRoom_OfADeadChildSaysSoAndStartsAnother(t *testing.T) {
	r := open(t)
	proc, err := os.FindProcess(r.Status().PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := proc.Kill(); err != nil {
		t.Fatal(err)
	}
	for r.Status().State == "running" { // until its end was noticed
		if w := ask(r, nil); w.Code != http.StatusOK && w.Code != http.StatusBadGateway {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if w := ask(r, nil); w.Code != http.StatusBadGateway || !strings.Contains(w.Body.String(), `"code":"down"`) {
		t.Errorf("%d %s, want 502 and the code down", w.Code, w.Body)
	}
	for r.Status().State != "running" { // whoever asks has it started again, after a while
		ask(r, nil)
	}
	if w := ask(r, nil); w.Code != http.StatusOK || !strings.HasPrefix(w.Body.String(), fmt.Sprint(r.Status().PID)) {
		t.Errorf("%d %s, want the answer of a new process", w.Code, w.Body)
	}
}

func TestRoom_WhoseChildDoesNotServeIsNone(t *testing.T) {
	for kind, want := range map[string]string{"broken": "ended before it was ready", "silent": "not ready"} {
		o := options(t, kind)
		if kind == "silent" {
			o.StartTimeout = time.Millisecond
		}
		if r, err := classroom.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want an error with %q", kind, r, err, want)
		}
	}
}

func TestRoom_ClosedHasNoChildAndGetsNone(t *testing.T) {
	r := open(t)
	_ = r.Close()
	if s := r.Status(); s.State != "down" || s.PID != 0 {
		t.Errorf("%+v after Close", s)
	}
	if _, err := r.Plug(context.Background()); err != classroom.ErrClosed {
		t.Errorf("%v, want ErrClosed", err)
	}
}
