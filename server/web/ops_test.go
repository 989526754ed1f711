//go:build linux

package web_test

import (
	"context"
	"errors"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/tinykv/tinykv"
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
