//go:build !js

package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/vfs"
)

// talk is a WebSocket to a server over a store in memory, whose engine tells what it does.
type talk struct {
	*testing.T
	db   *tinykv.DB
	conn *websocket.Conn
	url  string
}

func newTalk(t *testing.T) *talk {
	t.Helper()
	log := NewEventLog()
	db, err := tinykv.Open("db", &tinykv.Options{FS: vfs.NewMem(), Events: log.Events()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(db, &Options{Events: log, Motion: true})
	if err != nil {
		t.Fatal(err)
	}
	site := httptest.NewServer(s)
	conn, _, err := websocket.Dial(t.Context(), site.URL+"/v1/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(16 << 20)
	t.Cleanup(func() {
		_ = conn.CloseNow()
		site.Close()
		log.Release()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &talk{T: t, db: db, conn: conn, url: site.URL}
}

// heard is a message of the server.
type heard struct {
	Kind  string          `json:"kind"`
	ID    int64           `json:"id"`
	Data  json.RawMessage `json:"data"`
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func (k *talk) say(text string) {
	k.Helper()
	if err := k.conn.Write(k.Context(), websocket.MessageText, []byte(text)); err != nil {
		k.Fatal(err)
	}
}

func (k *talk) hear() (h heard) {
	k.Helper()
	_, text, err := k.conn.Read(k.Context())
	if err != nil {
		k.Fatal(err)
	}
	if err := json.Unmarshal(text, &h); err != nil {
		k.Fatal(err)
	}
	return h
}

// want reads messages until one of a kind comes, and decodes its data.
func (k *talk) want(kind string, id int64, data any) heard {
	k.Helper()
	for {
		h := k.hear()
		if h.Kind == "error" && kind != "error" {
			k.Fatalf("%+v while waiting for %s", h.Error, kind)
		}
		if h.Kind != kind || h.ID != id {
			continue
		}
		if data != nil {
			if err := json.Unmarshal(h.Data, data); err != nil {
				k.Fatalf("%v: %s", err, h.Data)
			}
		}
		return h
	}
}

func TestWebSocket_TellsChangesInTheOrderOfCommits(t *testing.T) {
	k := newTalk(t)
	k.say(`{"id":7,"do":"watch","prefix":"a"}`)
	k.want("done", 7, nil)
	b := k.db.NewBatch()
	if err := errors.Join(b.Put([]byte("a1"), []byte("x")), b.Put([]byte("b"), nil), b.Delete([]byte("a\xff")), k.db.Apply(b)); err != nil {
		t.Fatal(err)
	}
	var got []change
	k.want("change", 7, &got)
	text, _ := json.Marshal(got)
	if want := `[{"op":"put","key":"a1","value":"x","seq":1},{"op":"delete","key_hex":"61ff","seq":3,"last":true}]`; string(text) != want {
		t.Errorf("told %s\nwant %s", text, want)
	}
}

func TestWebSocket_AWatchGoesOnBehindAGivenWrite(t *testing.T) {
	k := newTalk(t)
	for _, key := range []string{"a", "b", "c"} {
		if err := k.db.Put([]byte(key), nil); err != nil {
			t.Fatal(err)
		}
	}
	k.say(`{"id":1,"do":"watch","since":1}`)
	var got []change
	k.want("change", 1, &got)
	if len(got) != 1 || *got[0].Key != "b" {
		t.Errorf("told %+v, want what came behind write 1", got)
	}
}

func TestWebSocket_LeavesLargeValuesOut(t *testing.T) {
	k := newTalk(t)
	k.say(`{"id":1,"do":"watch"}`)
	k.want("done", 1, nil)
	if err := k.db.Put([]byte("a"), make([]byte, wsValueBytes+1)); err != nil {
		t.Fatal(err)
	}
	var got []change
	if k.want("change", 1, &got); got[0].Value != nil || got[0].ValueBytes != wsValueBytes+1 {
		t.Errorf("told a value of %d bytes, want its size alone", got[0].ValueBytes)
	}
}

func TestWebSocket_TellsNumbersAndLayout(t *testing.T) {
	k := newTalk(t)
	if err := k.db.Put([]byte("a"), []byte("x")); err != nil {
		t.Fatal(err)
	}
	k.say(`{"id":1,"do":"metrics","every_ms":1}`)
	var m liveMetrics
	if k.want("metrics", 1, &m); m.Ops.Writes != 1 || m.Metrics.Keys != 1 || m.At == 0 {
		t.Errorf("told %+v", m)
	}
	k.say(`{"id":1,"do":"stop","what":1}`)
	k.say(`{"id":2,"do":"layout","every_ms":100}`)
	var l struct {
		Levels []struct {
			Tables []struct{ Smallest, Largest string }
		}
	}
	k.want("layout", 2, nil)
	if err := k.db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for len(l.Levels) == 0 || len(l.Levels[0].Tables) == 0 {
		k.want("layout", 2, &l) // is told again because it has changed
	}
	if got := l.Levels[0].Tables[0]; got.Smallest != "a" || got.Largest != "a" {
		t.Errorf("table of %+v, want a to a", got)
	}
}

func TestWebSocket_TellsWhatTheEngineDoes(t *testing.T) {
	k := newTalk(t)
	k.say(`{"id":3,"do":"events"}`)
	if err := errors.Join(k.db.Put([]byte("a"), nil), k.db.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	var names []string
	for !strings.Contains(strings.Join(names, " "), "flush_end") {
		var e event
		k.want("event", 3, &e)
		names = append(names, e.Name)
	}
	if got := strings.Join(names, " "); !strings.Contains(got, "opened") || !strings.Contains(got, "flush_begin") || !strings.Contains(got, "table_created") {
		t.Errorf("told %s", got)
	}
}

func TestWebSocket_SpeaksTheShell(t *testing.T) {
	k := newTalk(t)
	var r struct{ Out, Error, Prompt string }
	for _, q := range []struct{ line, out, err string }{
		{"put fig ripe", "", ""},
		{"get fig", "ripe\n", ""},
		{"get plum", "", "not found"},
	} {
		line, _ := json.Marshal(q.line)
		k.say(`{"id":1,"do":"shell","line":` + string(line) + `}`)
		r.Out, r.Error = "", ""
		k.want("shell", 1, &r)
		if q.out != "" && r.Out != q.out || (r.Error == "") != (q.err == "") || !strings.Contains(r.Error, q.err) {
			t.Errorf("%s: %+v", q.line, r)
		}
	}
	k.say(`{"id":2,"do":"complete","line":"get f"}`)
	var c completions
	if k.want("complete", 2, &c); len(c.Lines) != 1 || c.Lines[0] != "get fig" {
		t.Errorf("completed to %q", c.Lines)
	}
	k.say(`{"id":3,"do":"complete","line":"` + strings.Repeat("x", wsLineBytes+1) + `"}`)
	if k.want("complete", 3, &c); len(c.Lines) != 0 {
		t.Errorf("a line that is too long was completed to %q", c.Lines)
	}
	k.say(`{"id":4,"do":"shell","line":"get fig"}`) // the terminal is free again
	if k.want("shell", 4, &r); r.Out != "ripe\n" {
		t.Errorf("%+v", r)
	}
}

// A transaction that its peer leaves behind is rolled back.
func TestWebSocket_ATransactionGoesWithItsPeer(t *testing.T) {
	k := newTalk(t)
	k.say(`{"id":1,"do":"shell","line":"begin"}`)
	k.want("shell", 1, nil)
	if k.db.Metrics().Snapshots == 0 {
		t.Fatal("no transaction is open")
	}
	_ = k.conn.CloseNow()
	for k.db.Metrics().Snapshots > 0 { // until it is noticed
		if t.Context().Err() != nil {
			t.Fatal("the transaction is still open")
		}
	}
}

func TestWebSocket_RefusesWhatItDoesNotUnderstand(t *testing.T) {
	for _, q := range []struct{ say, code string }{
		{`{"id":1,"do":"dance"}`, "bad_request"},
		{`{"id":1,"do":"watch","prefix":"a","lower":"b"}`, "bad_request"},
		{`{"id":1,"do":"watch","lower":"b","lower_hex":"62"}`, "bad_request"},
		{`{"id":1,"do":"watch","prefix_hex":"6"}`, "bad_request"},
		{`{"id":1,"do":"shell","line":"` + strings.Repeat("x", wsLineBytes+1) + `"}`, "too_large"},
	} {
		k := newTalk(t)
		k.say(q.say)
		if h := k.want("error", 1, nil); h.Error.Code != q.code || h.Error.Message == "" {
			t.Errorf("%.60s: %+v, want %s", q.say, h.Error, q.code)
		}
		k.say(`{"id":2,"do":"layout"}`) // the conversation goes on
		k.want("done", 2, nil)
	}
}

func TestWebSocket_HasABoundOnSubscriptions(t *testing.T) {
	k := newTalk(t)
	for i := range wsSubscriptions {
		text, _ := json.Marshal(request{ID: int64(i + 1), Do: "metrics"})
		k.say(string(text))
		k.want("done", int64(i+1), nil)
	}
	k.say(`{"id":3,"do":"metrics"}`)
	if h := k.want("error", 3, nil); h.Error.Code != "bad_request" {
		t.Errorf("an id in use: %+v", h.Error)
	}
	k.say(`{"id":99,"do":"metrics"}`)
	if h := k.want("error", 99, nil); h.Error.Code != "too_many" {
		t.Errorf("one more: %+v", h.Error)
	}
	k.say(`{"id":100,"do":"stop","what":1}`)
	k.want("done", 100, nil)
	for { // until the stopped one has ended
		k.say(`{"id":99,"do":"metrics"}`)
		h := k.hear()
		for h.ID != 99 {
			h = k.hear()
		}
		if h.Kind == "done" {
			return
		}
	}
}

// What would be understood as something else is refused: a watch of everything, another key.
func TestWebSocket_RefusesWhatItWouldMisunderstand(t *testing.T) {
	k := newTalk(t)
	for _, say := range []string{
		`{"id":1,"do":"watch","prefxi":"a"}`, `{"id":1,"do":"watch","prefix":"a","prefix":"b"}`, `{"id":1,"do":"watch","prefix":"a","Prefix":"b"}`,
		"{\"id\":1,\"do\":\"shell\",\"line\":\"put \xff 1\"}", `{"id":1,"do":"shell","line":"put \ud800 1"}`, `{"id":1,"do":"watch","prefix":"a","lower":"b"}`, `{"id":1,"do":"fly"}`,
	} {
		k.say(say)
		if h := k.want("error", 1, nil); h.Error.Code != "bad_request" {
			t.Errorf("%q: %+v", say, h.Error)
		}
	}
	k.say(`{"id":1,"do":"watch","prefix":"a"}`)
	k.want("done", 1, nil)
	if n := k.db.Metrics().LastSeq; n != 0 {
		t.Errorf("%d writes", n)
	}
}

func TestWebSocket_EndsWithWhoSendsNoJSONOrTooMuch(t *testing.T) {
	for say, code := range map[string]websocket.StatusCode{
		"hello":                               websocket.StatusUnsupportedData,
		strings.Repeat("x", wsMessageBytes+1): websocket.StatusMessageTooBig,
	} {
		k := newTalk(t)
		_ = k.conn.Write(t.Context(), websocket.MessageText, []byte(say)) // it may be cut off on the way
		for {
			_, _, err := k.conn.Read(t.Context())
			if err == nil {
				continue // the error that says why
			}
			if got := websocket.CloseStatus(err); got != code {
				t.Errorf("%.10s: closed with %v, want %v", say, got, code)
			}
			break
		}
	}
}

// Flushes that pause for people to see them do not keep a store from closing.
func TestMotion_EndsWithTheStore(t *testing.T) {
	log := NewEventLog()
	log.SetMotion(maxMotion)
	db, err := tinykv.Open("db", &tinykv.Options{FS: vfs.NewMem(), Events: log.Events()})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Put([]byte("a"), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = db.Flush(ctx) // has begun, and pauses
	log.Release()
	log.Release()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestMotion_IsOfferedWhereItWasAskedFor(t *testing.T) {
	for _, motion := range []bool{true, false} {
		db, err := tinykv.Open("db", &tinykv.Options{FS: vfs.NewMem()})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		s, err := New(db, &Options{Events: NewEventLog(), Motion: motion})
		if err != nil {
			t.Fatal(err)
		}
		for query, want := range map[string]int{"?slow_ms=800": 204, "": 204, "?slow_ms=5001": 400, "?slow_ms=-1": 400, "?slow=1": 400} {
			if !motion {
				want = http.StatusNotFound
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(http.MethodPut, "http://localhost/v1/motion"+query, nil))
			if w.Code != want {
				t.Errorf("motion %v, %s: %d %s, want %d", motion, query, w.Code, w.Body, want)
			}
		}
	}
}

// A request that reads or writes keys is timed; one that asks for numbers is not.
func TestWebSocket_TellsHowLongRequestsTake(t *testing.T) {
	k := newTalk(t)
	for _, q := range []struct{ method, path string }{
		{"PUT", "/v1/keys/a"}, {"GET", "/v1/keys/a"}, {"GET", "/v1/keys/b"}, {"GET", "/v1/stats"}, {"GET", "/healthz"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), q.method, k.url+q.path, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = w.Body.Close()
	}
	k.say(`{"id":1,"do":"metrics"}`)
	var m liveMetrics
	k.want("metrics", 1, &m)
	if m.Requests.Read.Count != 2 || m.Requests.Write.Count != 1 {
		t.Errorf("%d reads and %d writes, want 2 and 1", m.Requests.Read.Count, m.Requests.Write.Count)
	}
	if h := m.Requests.Read; len(h.Buckets) == 0 || h.Max < h.Min || h.Percentile(100) < h.Min {
		t.Errorf("%+v", h)
	}
}

// dialWS opens a WebSocket to a site.
func dialWS(t *testing.T, url string, header http.Header) (*talk, error) {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), url+"/v1/ws", &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &talk{T: t, conn: conn}, nil
}

// closed reads until the server closes, and returns why it did.
func (k *talk) closed() websocket.StatusCode {
	k.Helper()
	for {
		if _, _, err := k.conn.Read(k.Context()); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

func TestWebSocket_WantsATokenFirstWhereOneIsNeeded(t *testing.T) {
	s := newSite(t, &Options{Tokens: someTokens()})
	for _, first := range []string{`{"id":1,"do":"metrics"}`, `{"id":1,"do":"auth","token":"wrong-wrong-wrong-wrong"}`, `hello`, `{"id":1,"do":"auth"}`} {
		k, err := dialWS(t, s.at.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		k.say(first)
		if code := k.closed(); code != websocket.StatusPolicyViolation {
			t.Errorf("%s: closed with %v, want %v", first, code, websocket.StatusPolicyViolation)
		}
	}
	k, err := dialWS(t, s.at.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	k.say(`{"id":1,"do":"auth","token":"` + readSecret + `"}`)
	k.want("done", 1, nil)
	k.say(`{"id":2,"do":"shell","line":"clear"}`) // a token for reading
	if h := k.want("error", 2, nil); h.Error.Code != "forbidden" {
		t.Errorf("%+v", h.Error)
	}
	k.say(`{"id":3,"do":"metrics"}`)
	k.want("metrics", 3, nil)
	k, err = dialWS(t, s.at.URL, http.Header{"Authorization": {"Bearer " + readSecret}})
	if err != nil {
		t.Fatal(err)
	}
	k.say(`{"id":1,"do":"metrics"}`)
	k.want("metrics", 1, nil)
}

// A page of another site that a browser has open, too, must not speak with the server.
func TestWebSocket_OfAnotherOriginIsRefused(t *testing.T) {
	s := newSite(t, &Options{AllowOrigins: []string{"https://admin.example.com"}})
	for origin, ok := range map[string]bool{
		"https://evil.example.com": false, "null": false, "http://localhost.evil.com": false,
		s.at.URL: true, "https://admin.example.com": true,
	} {
		_, err := dialWS(t, s.at.URL, http.Header{"Origin": {origin}})
		if (err == nil) != ok {
			t.Errorf("origin %s: %v, want it let in: %v", origin, err, ok)
		}
	}
}

func TestWebSocket_AServerForReadingHasNoTerminal(t *testing.T) {
	s := newSite(t, &Options{ReadOnly: true})
	k, err := dialWS(t, s.at.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	k.say(`{"id":1,"do":"shell","line":"put a 1"}`)
	if h := k.want("error", 1, nil); h.Error.Code != "forbidden" {
		t.Errorf("%+v", h.Error)
	}
}

// There is one bound for all who watch, over REST and over WebSockets; one that ends makes room.
func TestWebSocket_WatchesAreBounded(t *testing.T) {
	s := newSite(t, &Options{MaxWatches: 1})
	first, err := dialWS(t, s.at.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	first.say(`{"id":1,"do":"watch"}`)
	first.want("done", 1, nil)
	second, err := dialWS(t, s.at.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	second.say(`{"id":1,"do":"watch"}`)
	if h := second.want("error", 1, nil); h.Error.Code != "too_many" {
		t.Errorf("%+v", h.Error)
	}
	_ = first.conn.CloseNow()
	for id := 2; ; id++ { // until its end is noticed
		text, _ := json.Marshal(request{ID: int64(id), Do: "watch"})
		second.say(string(text))
		if second.hear().Kind == "done" {
			return
		}
	}
}

// Who speaks with a server that stops is told that it goes away.
func TestWebSocket_EndsWithTheServer(t *testing.T) {
	s := serveSite(t, Options{})
	k, err := dialWS(t, "http://"+s.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	k.say(`{"id":1,"do":"watch"}`)
	k.want("done", 1, nil)
	s.stop()
	if code := k.closed(); code != websocket.StatusGoingAway {
		t.Errorf("closed with %v, want %v", code, websocket.StatusGoingAway)
	}
}
