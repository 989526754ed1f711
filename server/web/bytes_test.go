//go:build linux

package web_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// hostile are keys, which are also the values, that a page could take for something else, in the order of their bytes; shown is how they
// are listed.
func hostile() []struct{ key, shown string } {
	long := strings.Repeat("long", 800)
	return []struct{ key, shown string }{
		{`"><img src=x onerror=alert(1)>`, `"><img src=x onerror=alert(1)>`},
		{"&amp;", "&amp;"},
		{"<script>alert(1)</script>", "<script>alert(1)</script>"},
		{"crlf\r\nend", "0x63726c660d0a656e64"},
		{"lines\nand\ttabs", "lines↵and⇥tabs"},
		{long, long[:120] + "…"},
		{"nul\x00", "0x6e756c00"},
		{"turned\u202egnp.exe", "0x7475726e6564e280ae676e702e657865"},
		{"עברית/שלום", "עברית/שלום"},
		{"\xff\xfe", "0xfffe"},
	}
}

// unusualBytes shows keys and values that look like markup, that are no text, or that are too long, as what they are in every view.
func unusualBytes(t *testing.T, browser context.Context) {
	db, site := newSite(t, nil)
	for _, h := range hostile() {
		if err := db.Put([]byte(h.key), []byte(h.key)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Put([]byte("\xff\xff"), make([]byte, 9<<20)); err != nil {
		t.Fatal(err)
	}
	if err := db.Flush(t.Context()); err != nil { // they bound a table, too
		t.Fatal(err)
	}
	b := openTab(t, browser, site, "#/data", look{390, false})
	harmless := func() {
		t.Helper()
		b.fits()
		if n := eval[int](b, "document.querySelectorAll('main img, main script').length"); n != 0 {
			t.Errorf("%s made %d elements", eval[string](b, "location.hash"), n)
		}
	}
	b.until("the keys", fmt.Sprintf("document.querySelectorAll('tr[data-key]').length === %d", len(hostile())+1))
	for i, h := range hostile() {
		if got := eval[string](b, fmt.Sprintf("document.querySelectorAll('tr[data-key]')[%d].dataset.key", i)); got != h.shown {
			t.Errorf("%q is listed as %s, want %s", h.key, got, h.shown)
		}
	}
	harmless()
	for i, h := range hostile() { // what is typed comes to what was there, and changes nothing of it
		if !strings.ContainsAny(h.key, "\"\r") && h.key[0] != 0xff {
			continue // as the others, and each takes its time
		}
		b.click(fmt.Sprintf("tbody tr:nth-child(%d) .link", i+1))
		b.until("the value", "document.querySelector('dialog [data-value]')")
		harmless()
		b.click("dialog [data-do=edit]")
		more := "x"
		if eval[bool](b, "(e => { e.focus(); e.selectionStart = e.value.length; return document.querySelector('dialog .mini').ariaPressed === 'true' })(document.querySelector('[name=edit]'))") {
			more = "78"
		}
		b.press(more)
		b.click("dialog [data-do=save]")
		b.until("it is saved", "!document.querySelector('dialog')")
		if value, err := db.Get([]byte(h.key)); err != nil || string(value) != h.key+"x" {
			t.Errorf("%q was saved as %q, %v", h.key, value, err)
		}
	}

	b.until("the size of a value that no list holds", "document.querySelector('tr[data-key=\"0xffff\"]').textContent.includes('9 MiB')")
	b.click("tr[data-key='0xffff'] .link")
	b.untilText("dialog", "edited as a file")
	b.fits()
	b.shot("data-large")
	b.press(kb.Escape)

	b.to("#/play/keys", "Play")
	for _, key := range []string{hostile()[0].key, hostile()[5].key, hostile()[8].key} {
		b.fill("[name=key]", key)
		b.click("[data-do=get]")
		b.untilText("[data-result=get] dd", key[:8])
		harmless()
	}
	b.to("#/play/transactions", "Play")
	b.fill("[data-pane=A] input", hostile()[0].key)
	b.click("[data-pane=A] [data-do=begin]")
	b.click("[data-pane=A] [data-do=get]")
	b.untilText("[data-pane=A] .log", "<img")
	harmless()
	b.to("#/play/terminal", "Play")
	b.fill("#terminal-line", "scan")
	b.press("\r")
	b.untilText("[data-terminal]", "<script>")
	harmless()
	b.to("#/inside", "Inside")
	b.click("[data-read-form] [type=submit]") // for the first key of the store
	b.untilText("[data-verdict]", "Found")
	b.click("[data-table][title*='<img']")
	b.untilText("[data-details]", "<img")
	harmless()
}
