//go:build linux

package web_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/server"
	"github.com/tinykv/tinykv/vfs/simfs"
)

func terminal(t *testing.T, browser context.Context) {
	db, site := newSite(t, nil)
	b := openTab(t, browser, site, "#/play/terminal", look{390, true})
	say := func(line string) {
		b.fill("#terminal-line", line)
		b.press(kb.Enter)
		b.until("the answer to "+line, "!document.querySelector('#terminal-line').readOnly")
	}
	say("put fig ripe")
	say("get fig")
	b.untilText("[data-terminal]", "ripe")
	say("get nothing")
	b.untilText("[data-terminal] .bad", "nothing")
	say("nonsense")
	b.press(kb.ArrowUp + kb.ArrowUp + kb.ArrowUp)
	b.until("the history", "document.querySelector('#terminal-line').value === 'get fig'")
	b.fill("#terminal-line", "get f")
	b.press(kb.Tab)
	b.until("the completion", "document.querySelector('#terminal-line').value.trim() === 'get fig'")
	b.fits()
	b.shot("play-terminal-used")
	if value, err := db.Get([]byte("fig")); err != nil || string(value) != "ripe" {
		t.Errorf("the store has %q, %v", value, err)
	}
}

func upkeep(t *testing.T, browser context.Context) {
	db, site := newSite(t, nil)
	sample(t, db)
	b := openTab(t, browser, site, "#/ops", look{1280, false})
	b.click("[data-do=flush]")
	b.untilText(".toast", "flushed")
	if m := db.Metrics(); m.Flushes != 1 {
		t.Errorf("%d flushes", m.Flushes)
	}
	for _, job := range []string{"verify", "compact"} {
		b.click("[data-do=" + job + "]")
		b.until(job+" is done", "document.querySelector('[data-job="+job+"][data-state=done] [data-report]')")
	}
	b.shot("ops-done")
	b.click("[data-do=clear]")
	b.fill("[name=confirm]", "clea")
	b.until("not yet", "document.querySelector('dialog [data-do=confirm]').disabled")
	b.fill("[name=confirm]", "clear")
	b.press(kb.Enter)
	b.untilText(".toast", "everything was deleted")
	if _, err := db.Get([]byte("note")); !errors.Is(err, tinykv.ErrNotFound) {
		t.Errorf("after clearing: %v", err)
	}
}

func transfer(t *testing.T, browser context.Context) {
	db, site := newSite(t, nil)
	b := openTab(t, browser, site, "#/ops", look{390, false}, "400")
	b.fill("[name=paste]", "key,value\na,1\nb,\"x,y\"\n")
	b.click("[data-do=import]")
	b.until("the report", "document.querySelector('[data-job=import][data-state=done] [data-report]')")
	b.untilText("[data-job=import] [data-report]", "imported2")
	if value, err := db.Get([]byte("b")); err != nil || string(value) != "x,y" {
		t.Errorf("the store has %q, %v", value, err)
	}
	b.pick("select[name=format]", "jsonl")
	b.fill("[name=paste]", "{\"key\": \"c\", \"value\": \"3\"}\nnonsense\n")
	b.click("[data-do=import]")
	b.untilText("[data-job=import][data-state=failed] .problem", "row 2")
	b.shot("ops-import")

	dir, told := t.TempDir(), true
	_, err := chromedp.CallBrowser(b.ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir, EventsEnabled: &told,
	})
	b.must(err)
	progress := chromedp.BrowserEvents(b.ctx, cdpbrowser.DownloadProgress)
	b.click("[data-do=export]")
	for p, err := range progress {
		b.must(err)
		if p.State == cdpbrowser.DownloadProgressStateCompleted {
			break
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "tinykv.csv"))
	if want := "a,1,,,\nb,\"x,y\",,,\nc,3,,,\n"; err != nil || !strings.HasSuffix(strings.ReplaceAll(string(text), "\r\n", "\n"), want) {
		t.Errorf("exported %q, %v, want at its end %q", text, err, want)
	}
}

func token(t *testing.T, browser context.Context) {
	const secret = "a long secret that is only for this test"
	const reads = "another long secret, for reading"
	_, site := newSite(t, &server.Options{Tokens: []server.Token{{Secret: secret, Scope: server.ScopeAdmin}, {Secret: reads, Scope: server.ScopeRead}}})
	b := openTab(t, browser, site, "#/play/terminal", look{390, false}, "401")
	b.fill("dialog input", "wrong")
	b.press(kb.Enter)
	b.untilText("dialog", "That token was refused")
	b.fill("dialog input", secret)
	b.shot("token")
	b.press(kb.Enter)
	b.until("the terminal", "document.querySelector('#terminal-line')")
	b.fill("#terminal-line", "put a 1") // the WebSocket wants it, too
	b.press(kb.Enter)
	b.untilText("[data-terminal]", "ok")
	b.click("[data-do=token]") // a narrower one: what was allowed is not any more
	b.fill("dialog input", reads)
	b.press(kb.Enter)
	b.until("the connection is another one", "document.querySelector('[data-connection=open]') && !document.querySelector('dialog')")
	for refused := false; !refused; refused = eval[bool](b, "document.querySelector('[data-terminal]').textContent.includes('not allowed here')") {
		b.fill("#terminal-line", "put a 2")
		b.press(kb.Enter)
		b.until("the answer", "!document.querySelector('#terminal-line').readOnly")
	}
	if kept := eval[string](b, "JSON.stringify(localStorage) + location.href + document.cookie"); strings.Contains(kept, secret) {
		t.Errorf("the token is kept in %s", kept)
	}
	b.must(chromedp.Do(b.ctx, chromedp.Reload()))
	b.until("no question after a reload", "document.querySelector('#terminal-line') && !document.querySelector('dialog')")
}

// A server that goes and comes back is found again, without a reload.
func reconnect(t *testing.T, browser context.Context) {
	db, err := tinykv.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	serve := func(address string) (string, func()) {
		s, err := server.New(db, nil)
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		h := &http.Server{Handler: s, ReadHeaderTimeout: patience}
		go func() { _ = h.Serve(l) }()
		return l.Addr().String(), func() {
			s.Close() // ends the WebSocket, which h does not know
			h.Close()
		}
	}
	address, stop := serve("127.0.0.1:0")
	b := openTab(t, browser, "http://"+address, "#/play/terminal", look{390, true}, "ERR_CONNECTION_REFUSED")
	say := func(line, want string) {
		b.fill("#terminal-line", line)
		b.press(kb.Enter)
		b.untilText("[data-terminal]", want)
	}
	say("put fig ripe", "ok")
	say("begin", "transaction at")
	b.to("#/play/keys", "Play")
	b.to("#/play/terminal", "Play")
	b.until("it still is in the transaction", "document.querySelector('.terminal label').textContent.includes('transaction')")
	stop()
	b.until("it is lost", "document.querySelector('[data-connection=lost]')")
	b.untilText("[data-terminal]", "went with it")
	say("put fig rotten", "nothing was done")
	b.untilText("[data-lost]", "asked again until it answers")
	b.to("#/data", "Data")
	b.untilText("[data-state=failed] .problem", "does not answer")
	_, stop = serve(address)
	defer stop()
	b.until("it is back, with what there is", "document.querySelector('[data-connection=open]') && document.querySelector('[data-state=ready] tr[data-key=fig]') && !document.querySelector('[data-lost]')")
	b.to("#/play/terminal", "Play")
	say("get fig", "ripe")
	if value, err := db.Get([]byte("fig")); err != nil || string(value) != "ripe" {
		t.Errorf("the store has %q, %v", value, err)
	}
}

// A store that fails says so where one writes and where one looks after it, and goes on after Resume.
func failing(t *testing.T, browser context.Context) {
	files := simfs.New()
	db, err := tinykv.Open("db", &tinykv.Options{FS: files})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := server.New(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	site := httptest.NewServer(s)
	defer site.Close()
	defer site.CloseClientConnections()
	b := openTab(t, browser, site.URL, "#/play", look{390, false}, "503")
	files.FailCall(simfs.Fault{Match: simfs.Kinds(simfs.OpSync), DropDirty: true})
	b.click("label:has([name=sync])")
	b.click("[data-do=put]")
	b.click("[data-result=failed] a")
	b.untilText("[data-failed]", "it can be read")
	b.fits()
	b.shot("ops-failed")
	b.click("[data-do=resume]")
	b.until("it goes on", "document.querySelector('.stats') && !document.querySelector('[data-failed]')")
	if err := db.Put([]byte("k"), []byte("v")); err != nil {
		t.Error(err)
	}
}

func cancel(t *testing.T, browser context.Context) {
	opts := &server.Options{}
	db, site := newSite(t, opts)
	sample(t, db)
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	opts.Events.SetMotion(time.Minute) // a compaction that nobody would wait for
	b := openTab(t, browser, site, "#/ops", look{390, true})
	b.click("[data-do=compact]")
	b.until("the progress", "document.querySelector('[data-job=compact][data-state=running] progress')")
	b.shot("ops-running")
	b.click("[data-do=cancel-compact]")
	b.until("it is cancelled", "document.querySelector('[data-job=compact][data-state=cancelled]')")
	if value, err := db.Get([]byte("note")); err != nil || string(value) != "value of note" {
		t.Errorf("the store has %q, %v", value, err)
	}
}

func buckets(t *testing.T, browser context.Context) {
	db, site := newSite(t, nil)
	if err := db.Bucket("orchard").Put([]byte("fig"), []byte("in the orchard")); err != nil {
		t.Fatal(err)
	}
	if err := db.Put([]byte("fig"), []byte("outside")); err != nil {
		t.Fatal(err)
	}
	b := openTab(t, browser, site, "#/data", look{1280, true})
	b.untilText("tbody", "outside")
	b.until("the choice", "document.querySelector('main select option[value=orchard]')")
	b.pick("main select:has(option[value=orchard])", "orchard")
	b.untilText("tbody", "in the orchard")
	b.click("tbody .link")
	b.click("dialog [data-do=edit]")
	b.fill("[name=edit]", "picked")
	b.click("dialog [data-do=save]")
	b.untilText("tbody", "picked")
	if value, err := db.Bucket("orchard").Get([]byte("fig")); err != nil || string(value) != "picked" {
		t.Errorf("the bucket has %q, %v", value, err)
	}
	if value, err := db.Get([]byte("fig")); err != nil || string(value) != "outside" {
		t.Errorf("outside of it is %q, %v", value, err)
	}
}
