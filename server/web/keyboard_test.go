//go:build linux

package web_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// tabTo presses the tabulator until what a selector finds has the focus, and shows it.
func (b *tab) tabTo(selector string) {
	b.t.Helper()
	for range 80 {
		b.press(kb.Tab)
		if eval[bool](b, fmt.Sprintf("document.activeElement.matches(%q)", selector)) {
			if !eval[bool](b, "document.activeElement.matches(':focus-visible') && getComputedStyle(document.activeElement).outlineStyle !== 'none'") {
				b.t.Errorf("%s has the focus, but does not show it", selector)
			}
			return
		}
	}
	b.t.Fatalf("the tabulator does not come to %s", selector)
}

// byKeyboard uses the page without a mouse.
func byKeyboard(t *testing.T, browser context.Context) {
	db, site := newSite(t, nil)
	sample(t, db)
	b := openTab(t, browser, site, "", look{1280, false})
	b.press(kb.Tab)
	b.until("the skip link", "document.activeElement.matches('.skip')")
	b.press(kb.Enter)
	b.until("the content", "document.activeElement.id === 'main'")

	b.tabTo("[role=tab][aria-selected=true]")
	b.press(kb.ArrowRight)
	b.until("the next tab", "location.hash === '#/play/batch' && document.activeElement.textContent === 'Batch'")
	b.press(kb.ArrowLeft)
	b.tabTo("[name=key]")
	eval[bool](b, "document.activeElement.select(); true")
	b.press("typed")
	b.tabTo("[name=value]")
	eval[bool](b, "document.activeElement.select(); true")
	b.press("2?t") // keys of the page are characters here
	b.tabTo("[data-do=put]")
	b.press(kb.Enter)
	b.untilText("[data-result=put]", "2?t")
	if value, err := db.Get([]byte("typed")); err != nil || string(value) != "2?t" {
		t.Errorf("the store has %q, %v", value, err)
	}

	for i, title := range []string{"Play", "Data", "Live", "Inside", "Learn", "Ops"} {
		b.press(fmt.Sprint(i + 1))
		b.until(title, fmt.Sprintf("document.querySelector('main h1').textContent === %q && document.activeElement.id === 'main'", title))
	}
	for range 2 { // two tables, of which the tabulator stops at one
		if err := db.Put([]byte("typed"), []byte("again")); err != nil {
			t.Fatal(err)
		}
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b.press("4")
	b.until("the tables", "document.querySelectorAll('[data-level=\"0\"] [data-table]').length === 2")
	b.tabTo("[data-level='0'] [data-table]")
	b.press(kb.ArrowRight + kb.Enter)
	b.until("the older one", "document.querySelector('[data-level=\"0\"] [data-table]:nth-child(2).picked') && document.querySelector('[data-details]')")
	b.tabTo("[data-read-form] input")
	b.to("#/data", "Data")
	b.tabTo("[name=prefix]")
	b.press("user/00" + kb.Enter)
	b.until("the search", "document.querySelector('tbody tr')?.dataset.key === 'user/0000'")
	b.tabTo("tr[data-key='user/0001'] .link")
	b.press(kb.Enter)
	b.untilText("dialog [data-value]", `"name": "user 1"`)
	b.press(kb.Escape)
	b.until("the focus is back", "!document.querySelector('dialog') && document.activeElement.matches(\"tr[data-key='user/0001'] .link\")")

	b.press("?")
	b.untilText("dialog", "light or dark")
	b.press(kb.Escape)
	b.until("the keys are gone", "!document.querySelector('dialog')")
	b.press("t")
	b.until("it is dark", "getComputedStyle(document.body).backgroundColor === 'rgb(18, 21, 22)'")
}
