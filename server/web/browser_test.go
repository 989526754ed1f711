//go:build linux

package web_test

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/server"
)

var screenshots = flag.String("screenshots", "", "directory to save pictures of the page in")

// patience bounds each wait: long enough that it ends only what would never come.
const patience = 20 * time.Second

// startBrowser starts a browser with an empty profile, for tabs to be opened in. The test skips where there is none, which continuous
// integration installs.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("no chromium (Debian: apt-get install chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox)
	alloc, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(alloc)
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// newSite serves a new store, and returns it with its address.
func newSite(t *testing.T, opts *server.Options) (*tinykv.DB, string) {
	t.Helper()
	if opts == nil {
		opts = &server.Options{}
	}
	opts.Events = server.NewEventLog()
	db, err := tinykv.Open(t.TempDir(), &tinykv.Options{Events: opts.Events.Events()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := server.New(db, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	site := httptest.NewServer(s)
	t.Cleanup(func() {
		opts.Events.Release()
		site.CloseClientConnections()
		site.Close()
	})
	return db, site.URL
}

// look is how the page is looked at.
type look struct {
	width int64
	dark  bool
}

func (l look) String() string {
	if l.dark {
		return fmt.Sprintf("dark-%d", l.width)
	}
	return fmt.Sprintf("light-%d", l.width)
}

// tab is a page that is open in a browser. When the test ends it is checked that the page has complained of nothing, and has
// asked nobody but its own server.
type tab struct {
	t    *testing.T
	ctx  context.Context
	look look
	site string

	mu        sync.Mutex
	complains []string
}

// openTab opens the page at a hash. Statuses and errors of the network that the test provokes are to be given as expected: browsers write
// them to the console.
func openTab(t *testing.T, browser context.Context, site, hash string, l look, expected ...string) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(browser)
	t.Cleanup(end)
	b := &tab{t: t, ctx: ctx, look: l, site: site}
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}
	b.must(chromedp.Do(ctx, chromedp.EmulateViewport(l.width, 900)))
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media)
	b.must(err)
	b.must(chromedp.Listen(ctx, func(event any) { b.hear(event, expected) }))
	b.must(chromedp.Do(ctx, chromedp.Navigate(site+"/"+hash)))
	t.Cleanup(b.check)
	b.until("the frame", `document.querySelector("main h1")`)
	return b
}

// hear notes what the page should not do.
func (b *tab) hear(event any, expected []string) {
	var text string
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning || e.Type == runtime.ConsoleAPICalledTypeAssert {
			text = "console: " + string(e.Args[0].Value) + e.Args[0].Description
		}
	case *runtime.EventExceptionThrown:
		text = "exception: " + e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			text = fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, b.site+"/") && !strings.HasPrefix(u, "blob:"+b.site+"/") {
			text = "a request to " + u
		}
	case *network.EventWebSocketCreated:
		if !strings.HasPrefix(e.URL, strings.Replace(b.site, "http", "ws", 1)+"/") {
			text = "a WebSocket to " + e.URL
		}
	}
	for _, status := range expected {
		if strings.Contains(text, "status of "+status) || strings.Contains(text, "response code: "+status) || strings.Contains(text, "net::"+status) {
			return
		}
	}
	if text != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.complains = append(b.complains, text)
	}
}

func (b *tab) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.complains {
		b.t.Error(text)
	}
}

func (b *tab) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// eval returns the value of an expression.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for a condition.
func (b *tab) until(what, condition string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Poll[bool]("Boolean("+condition+")", chromedp.WithPollingTimeout(patience)))
	if err != nil {
		b.shot("failed")
		body, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
		b.t.Fatalf("%s: %v never: %v\n%s", what, condition, err, body)
	}
}

// untilText waits until what a selector finds first contains a text.
func (b *tab) untilText(selector, text string) {
	b.t.Helper()
	b.until(text, fmt.Sprintf("(document.querySelector(%q)?.textContent ?? '').includes(%q)", selector, text))
}

// to shows another view.
func (b *tab) to(hash, title string) {
	b.t.Helper()
	eval[bool](b, fmt.Sprintf("location.hash = %q; true", hash))
	b.until(hash, fmt.Sprintf("document.querySelector('main h1').textContent === %q", title))
}

// click presses what a selector finds, once it is there and can be pressed. What moves away under the pointer, as in the picture of a store at
// work, is aimed at again.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.until(selector+" to be pressed", fmt.Sprintf("document.querySelector(%q) && !document.querySelector(%q).disabled", selector, selector))
	for range 10 {
		eval[bool](b, fmt.Sprintf(`(selector => {
			window.hit?.stop.abort();
			const hit = window.hit = { done: false, stop: new AbortController() };
			document.addEventListener("click", e => { hit.done ||= e.target.closest(selector) !== null }, { capture: true, signal: hit.stop.signal });
			return true;
		})(%q)`, selector))
		b.must(chromedp.Do(b.ctx, chromedp.Click(chromedp.CSS(selector))))
		if eval[bool](b, "window.hit?.done ?? true") { // a page that came anew knows nothing of it
			return
		}
	}
	b.t.Fatalf("%s cannot be hit", selector)
}

// fill replaces the text of a field.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.until(selector, fmt.Sprintf("document.querySelector(%q)", selector))
	eval[bool](b, fmt.Sprintf("(e => { e.focus(); e.select(); return true })(document.querySelector(%q))", selector))
	if text == "" {
		b.press("\b")
		return
	}
	_, err := chromedp.Call(b.ctx, input.InsertText, input.InsertTextParams{Text: text})
	b.must(err)
}

// pick chooses an option.
func (b *tab) pick(selector, value string) {
	b.t.Helper()
	eval[bool](b, fmt.Sprintf("(e => { e.value = %q; e.dispatchEvent(new Event('change', {bubbles: true})); return true })(document.querySelector(%q))", value, selector))
}

// press types keys; see package kb of chromedp for those that are not characters.
func (b *tab) press(keys string, modifiers ...chromedp.Modifier) {
	b.t.Helper()
	b.must(chromedp.Do(b.ctx, chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...))))
}

// shot saves a picture, if pictures are wanted.
func (b *tab) shot(name string) {
	b.t.Helper()
	if *screenshots == "" {
		return
	}
	eval[bool](b, "scrollTo(0, 0); true") // the header stays at the top of the window
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	b.must(err)
	b.must(os.MkdirAll(*screenshots, 0o755))
	b.must(os.WriteFile(filepath.Join(*screenshots, name+"-"+b.look.String()+".png"), picture, 0o644))
}

// audit lists what somebody who cannot see well would stumble over: controls without a name, ids that are there twice, and text that stands
// out too little from its ground (WCAG 2.1, 1.4.3: 4.5 to 1).
const audit = `(() => {
  const found = [];
  const tell = (what, e) => found.push(what + ": " + e.outerHTML.slice(0, 140));
  for (const e of document.querySelectorAll("button, input, select, textarea, a[href], dialog, [role=img], nav")) {
    if (!(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.labels?.length || e.textContent.trim())) tell("no name", e);
  }
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  ids.filter((id, i) => ids.indexOf(id) !== i).forEach((id) => found.push("twice: #" + id));
  const parse = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const style = getComputedStyle(e), c = parse(style.backgroundColor);
      if (style.backgroundImage !== "none") return null;
      if (c.length === 3) return c;
      if (c[3] === 1) return c.slice(0, 3);
      if (c[3] > 0) return null;
    }
    return null;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || seen.has(e) || !e.checkVisibility({ checkOpacity: true }) || e.closest(":disabled, svg, canvas, .skip")) continue;
    seen.add(e);
    const behind = ground(e), ink = parse(getComputedStyle(e).color);
    if (!behind || ink.length !== 3) continue;
    const [a, b] = [light(behind), light(ink)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) tell("contrast " + ratio.toFixed(2), e);
  }
  return found;
})()`

// accessible checks what the page can be checked for without somebody who looks.
func (b *tab) accessible() {
	b.t.Helper()
	for _, found := range eval[[]string](b, audit) {
		b.t.Errorf("%s: %s", b.look, found)
	}
}

// fits checks that nothing is wider than the window: only boxes that say so may scroll sideways.
func (b *tab) fits() {
	b.t.Helper()
	if wide := eval[int](b, "document.documentElement.scrollWidth"); wide > int(b.look.width) {
		who := eval[string](b, fmt.Sprintf("[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > %d).slice(0, 5).map(e => e.outerHTML.slice(0, 120)).join('\\n')", b.look.width))
		b.t.Errorf("%s: %d pixels wide:\n%s", b.look, wide, who)
	}
}
