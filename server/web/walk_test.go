//go:build linux

package web_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/tinykv/tinykv"
)

// The page in a real browser: one browser for all, a store and a tab for each.
func TestPage_InABrowser(t *testing.T) {
	browser := startBrowser(t)
	for _, sub := range []struct {
		name string
		test func(*testing.T, context.Context)
	}{
		{"every view, light and dark, wide and narrow", everyView},
		{"put, get and delete", keys},
		{"a value that expires", expiry},
		{"a batch", batch},
		{"transactions that collide", conflict},
		{"bytes that are no plain text", unusualBytes},
		{"the browser of data", browse},
		{"filters", filters},
		{"an edit that comes too late", staleEdit},
		{"the terminal", terminal},
		{"upkeep", upkeep},
		{"import and export", transfer},
		{"a job that is cancelled", cancel},
		{"a store that fails", failing},
		{"a view that fails", fault},
		{"buckets", buckets},
		{"a token", token},
		{"a connection that is lost", reconnect},
		{"by keyboard alone", byKeyboard},
		{"a theme is remembered", theme},
	} {
		t.Run(sub.name, func(t *testing.T) { sub.test(t, browser) })
	}
}

func sample(t *testing.T, db *tinykv.DB) {
	t.Helper()
	b := db.NewBatch()
	for i := range 180 {
		if err := b.Put(fmt.Appendf(nil, "user/%04d", i), fmt.Appendf(nil, `{"name": "user %d", "age": %d, "tags": ["a", "b"]}`, i, 18+i%60)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"", "binary/\x00\xff", "note"} {
		if err := b.Put([]byte(key), []byte("value of "+key)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Apply(b); err != nil {
		t.Fatal(err)
	}
}

func everyView(t *testing.T, browser context.Context) {
	for _, l := range []look{{1280, false}, {1280, true}, {390, false}, {390, true}} {
		t.Run(l.String(), func(t *testing.T) {
			db, site := newSite(t, nil)
			sample(t, db)
			b := openTab(t, browser, site, "", l)
			for _, view := range []struct{ hash, title, selector, text string }{
				{"#/play", "Play", "main", "One key"},
				{"#/play/batch", "Play", "main", "Apply the batch"},
				{"#/play/transactions", "Play", "main", "Transaction B"},
				{"#/play/terminal", "Play", "main", "The words of the shell"},
				{"#/data", "Data", "[data-state=ready] table", "user/0001"},
				{"#/live", "Live", "main", ""},
				{"#/inside", "Inside", "main", ""},
				{"#/learn/1", "Learn", "main", "Everything goes to the log first"},
				{"#/learn/8", "Learn", "main", "Pull the plug"},
				{"#/learn/costs", "Learn", "main", "What an operation costs"},
				{"#/learn/trade-offs", "Learn", "main", "Three costs"},
				{"#/learn/consistency", "Learn", "main", "CAP"},
				{"#/learn/others", "Learn", "main", "Memcached"},
				{"#/ops", "Ops", "main", "Keys, about"},
			} {
				b.to(view.hash, view.title)
				b.untilText(view.selector, view.text)
				b.fits()
				b.accessible()
				b.shot(name(view.hash))
			}
		})
	}
}

func name(hash string) string {
	text := []byte(hash[2:])
	for i, c := range text {
		if c == '/' {
			text[i] = '-'
		}
	}
	return string(text)
}

func keys(t *testing.T, browser context.Context) {
	db, site := newSite(t, nil)
	b := openTab(t, browser, site, "#/play", look{1280, false}, "404")
	b.fill("[name=key]", "fig")
	b.fill("[name=value]", "ripe")
	b.click("[data-do=put]")
	b.untilText("[data-result=put]", "ripe")
	if value, err := db.Get([]byte("fig")); err != nil || string(value) != "ripe" {
		t.Errorf("the store has %q, %v", value, err)
	}
	if err := db.Put([]byte("fig"), []byte(`{"sort":"brown \"turkey\"","n":12345678901234567890,"n":[1,{}]}`)); err != nil {
		t.Fatal(err)
	}
	b.click("[data-do=get]")
	b.untilText("[data-result=get] [data-value]", "{\n  \"sort\": \"brown \\\"turkey\\\"\",\n  \"n\": 12345678901234567890,\n  \"n\": [\n    1,\n    {}\n  ]\n}")
	b.shot("play-result")
	b.click("[data-do=delete]")
	b.untilText("[data-result=deleted]", "tombstone")
	b.click("[data-do=get]")
	b.untilText("[data-result=not_found]", "no such key")
	if log := eval[int](b, "document.querySelectorAll('[data-log] li').length"); log != 4 {
		t.Errorf("%d lines in the log, want 4", log)
	}
}

func expiry(t *testing.T, browser context.Context) {
	_, site := newSite(t, nil)
	b := openTab(t, browser, site, "#/play", look{1280, true}, "404")
	b.fill("[name=key]", "code")
	b.fill("[name=ttl]", "1s")
	b.click("[data-do=put]")
	b.until("the ring", "document.querySelector('[data-ring=\"1\"]')")
	b.shot("play-expiry")
	b.until("the end of it", "document.querySelector('[data-result=not_found]')")
}

func batch(t *testing.T, browser context.Context) {
	db, site := newSite(t, nil)
	b := openTab(t, browser, site, "#/play/batch", look{1280, false})
	b.fill("[name=batch]", "[\n  {\"op\": \"put\",\n}]")
	b.until("what is wrong", "document.querySelector('[data-do=batch]').disabled")
	b.untilText(".field-error", "line 3")
	b.fill("[name=batch]", `[{"op":"put","key":"a","value":"1"},{"op":"get","key":"a"},{"op":"delete","key":"b"},{"op":"put","key_hex":"00ff","value_hex":"01"},{"op":"get","key":"none"}]`)
	b.click("[data-do=batch]")
	b.until("the results", "document.querySelectorAll('[data-batch=done] tbody tr').length === 5")
	b.untilText("[data-batch] tbody tr:nth-child(2)", "1")
	b.untilText("[data-batch] tbody tr:nth-child(4)", "0x00ff")
	b.untilText("[data-batch] tbody tr:nth-child(5)", "not found")
	b.shot("play-batch-done")
	if value, err := db.Get([]byte("\x00\xff")); err != nil || string(value) != "\x01" {
		t.Errorf("the store has %q, %v", value, err)
	}
}

func conflict(t *testing.T, browser context.Context) {
	db, site := newSite(t, nil)
	b := openTab(t, browser, site, "#/play/transactions", look{1280, false}, "409")
	b.click("[data-do=conflict]")
	b.until("the end of the story", "document.querySelector('[data-story=done]')")
	b.until("A committed", "document.querySelector('[data-pane=A][data-state=committed]')")
	b.until("B was refused", "document.querySelector('[data-pane=B][data-state=conflict]')")
	b.shot("play-conflict")
	if value, err := db.Get([]byte("account")); err != nil || string(value) != "110" {
		t.Errorf("the account holds %q, %v", value, err)
	}
	// And by hand: what is rolled back was never there.
	b.click("[data-pane=B] [data-do=begin]")
	b.click("[data-pane=B] [data-do=delete]")
	b.click("[data-pane=B] [data-do=rollback]")
	b.until("rolled back", "document.querySelector('[data-pane=B][data-state=\"rolled back\"]')")
	if ok, err := db.Has([]byte("account")); err != nil || !ok {
		t.Errorf("the account is gone, %v", err)
	}
}

func browse(t *testing.T, browser context.Context) {
	db, site := newSite(t, nil)
	sample(t, db)
	b := openTab(t, browser, site, "#/data", look{1280, false})
	rows := func(want int, first string) {
		t.Helper()
		b.until(first, fmt.Sprintf("document.querySelector('[data-state=ready]') && document.querySelectorAll('tbody tr[data-key]').length === %d && document.querySelector('tbody tr').dataset.key === %q", want, first))
	}
	rows(50, "")
	b.fill("[name=prefix]", "user/")
	b.click("[data-do=search]")
	rows(50, "user/0000")
	b.click("[data-do=next]")
	rows(50, "user/0050")
	b.click("[data-do=next]")
	rows(50, "user/0100")
	b.click("[data-do=next]")
	rows(30, "user/0150")
	b.click("[data-do=previous]")
	rows(50, "user/0100")
	b.fill("[name=prefix]", "user/017")
	b.click("[data-do=search]")
	rows(10, "user/0170")

	b.click("tbody tr .link")
	b.untilText("dialog [data-value]", `"name": "user 170"`)
	b.shot("data-item")
	b.click("dialog [data-do=edit]")
	b.fill("[name=edit]", "changed")
	b.click("dialog [data-do=save]")
	b.until("the dialog is gone", "!document.querySelector('dialog')")
	b.until("the new value", "document.querySelector('tr[data-key=\"user/0170\"]')?.textContent.includes('changed')")
	if value, err := db.Get([]byte("user/0170")); err != nil || string(value) != "changed" {
		t.Errorf("the store has %q, %v", value, err)
	}

	b.click("tbody tr:nth-child(2) input")
	b.click("tbody tr:nth-child(3) input")
	b.click("[data-do=delete]")
	b.until("two are to go", "document.querySelector('[data-preview=\"2\"]')")
	b.click("dialog [data-do=confirm]")
	rows(8, "user/0170")
	b.fill("[name=prefix]", "user/01")
	b.click("[data-do=search]")
	b.until("searched", "document.querySelector('tbody tr')?.dataset.key === 'user/0100'")
	b.click("[data-do=delete]")
	b.until("many are to go", "document.querySelector('[data-preview=\"78\"]')")
	b.shot("data-delete")
	b.click("dialog [data-do=confirm]")
	b.untilText("td.empty", "no key matches")
	if n, err := db.Count(t.Context(), tinykv.Prefix([]byte("user/"))); err != nil || n != 100 {
		t.Errorf("%d users are left, %v", n, err)
	}
	b.click("[data-do=new]")
	b.fill("[name=new-key]", "user/01new")
	b.fill("[name=new-value]", "1")
	b.click("dialog [data-do=save]")
	rows(1, "user/01new")
}

func staleEdit(t *testing.T, browser context.Context) {
	db, site := newSite(t, nil)
	if err := db.Put([]byte("k"), []byte("old")); err != nil {
		t.Fatal(err)
	}
	b := openTab(t, browser, site, "#/data", look{390, false}, "412")
	b.click("tbody tr .link")
	b.click("dialog [data-do=edit]")
	b.fill("[name=edit]", "mine")
	if err := db.Put([]byte("k"), []byte("theirs")); err != nil {
		t.Fatal(err)
	}
	b.click("dialog [data-do=save]")
	b.untilText("dialog .problem", "precondition failed")
	b.shot("data-stale")
	b.click("[data-do=fresh]")
	b.untilText("dialog [data-value]", "theirs")
	if value, err := db.Get([]byte("k")); err != nil || string(value) != "theirs" {
		t.Errorf("the store has %q, %v", value, err)
	}
}

func filters(t *testing.T, browser context.Context) {
	db, site := newSite(t, nil)
	sample(t, db)
	b := openTab(t, browser, site, "#/data", look{1280, false}, "400")
	for _, c := range []struct {
		field, text string
		want        int
	}{
		{"where", "age >= 70", 24}, {"where", `name = "user 7"`, 1}, {"key_contains", "017", 11}, {"value_contains", "user 17", 11},
	} {
		b.fill("[name="+c.field+"]", c.text)
		b.click("[data-do=search]")
		b.until(c.text, fmt.Sprintf("document.querySelector('[data-state=ready]') && document.querySelectorAll('tbody tr[data-key]').length === %d", c.want))
		b.fill("[name="+c.field+"]", "")
	}
	folders(b)
	b.fill("[name=where]", "age >")
	b.click("[data-do=search]")
	b.untilText("[data-state=failed] .problem", "bad request")
}

// folders goes through the sample as a tree, whose folders end where one says.
func folders(b *tab) {
	b.t.Helper()
	rows := func(want string) {
		b.t.Helper()
		b.until(want, fmt.Sprintf("document.querySelector('[data-state=ready]') && document.querySelector('main .row.spread .soft').textContent === %q", want))
	}
	b.click("[name=folders]")
	rows("page 1, 2 folders and 2 keys")
	b.shot("data-folders")
	b.click("tr[data-key='user/'] .folder")
	rows("page 1, 50 keys")
	b.click(".trail button")
	rows("page 1, 2 folders and 2 keys")
	b.fill("[name=separator]", "/00")
	rows("page 1, 1 folder and 49 keys")
	b.click("[data-do=next]")
	rows("page 2, 34 keys")
	b.click("[name=folders]")
}

func theme(t *testing.T, browser context.Context) {
	_, site := newSite(t, nil)
	background := func(b *tab) string { return eval[string](b, "getComputedStyle(document.body).backgroundColor") }
	const light, dark = "rgb(246, 247, 246)", "rgb(18, 21, 22)"
	b := openTab(t, browser, site, "", look{390, false})
	if got := background(b); got != light {
		t.Errorf("as the system has it: %s", got)
	}
	b.click("[data-theme-toggle]")
	if got := background(b); got != dark {
		t.Errorf("after the toggle: %s", got)
	}
	again := openTab(t, browser, site, "", look{390, false})
	if got := background(again); got != dark {
		t.Errorf("opened again: %s", got)
	}
	again.click("[data-theme-toggle]")
	if got := background(again); got != light {
		t.Errorf("toggled back: %s", got)
	}
}
