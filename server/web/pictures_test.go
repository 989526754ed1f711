//go:build linux

package web_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/tinykv/tinykv/server"
)

var pictures = flag.String("pictures", "", "directory to save the pictures of README.md in")

// picture saves what is in the window, if that is wanted.
func (b *tab) picture(name string) {
	b.t.Helper()
	if *pictures == "" {
		return
	}
	eval[bool](b, "scrollTo(0, 0); document.activeElement.blur(); true")
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	b.must(err)
	b.must(os.WriteFile(filepath.Join(*pictures, name+".png"), png, 0o644))
}

// press presses the button with a text.
func (b *tab) pressButton(text string) {
	b.t.Helper()
	find := fmt.Sprintf("[...document.querySelectorAll('button')].find(e => e.textContent.trim() === %q && !e.disabled)", text)
	b.until("button "+text, find)
	eval[bool](b, find+".click(); true")
}

// What moves: the engine at work in the classroom, and the numbers that tell of it.
func TestEngine_IsSeenAtWork(t *testing.T) {
	browser := startBrowser(t)
	_, site := newSite(t, &server.Options{Classroom: newClassroom(t)})
	t.Run("inside", func(t *testing.T) { inside(t, browser, site) })
	t.Run("live", func(t *testing.T) { live(t, browser, site) })
}

// inside fills the store until there are levels, slows it down, and looks at a merge, and at the way of a read.
func inside(t *testing.T, browser context.Context, site string) {
	b := openTab(t, browser, site, "#/inside", look{1280, false})
	b.until("the switch", "document.querySelector('[data-store-switch]')")
	b.pick("[data-store-switch]", "/classroom")
	b.until("the picture", "document.querySelector('[data-engine]')")
	for tables := 0; tables < 8; tables = eval[int](b, "document.querySelectorAll('[data-level=\"6\"] [data-table]').length") {
		b.click("[data-write-many]")
	}
	b.pressButton("1½ s")
	b.until("slow motion", "[...document.querySelectorAll('[aria-pressed=true]')].some(e => e.textContent === '1½ s')")
	for taken := false; !taken; taken = eval[bool](b, "document.querySelector('.en-table.taken') !== null") {
		b.click("[data-write]")
	}
	if what := eval[string](b, "document.querySelector('.en-fall.busy[data-job]:not([data-job=flush])')?.textContent ?? ''"); what == "" {
		t.Error("tables are taken, but no job is told")
	}
	if label := eval[string](b, "document.querySelector('.en-table.taken').ariaLabel"); label == "" {
		t.Error("a table has no name for those who do not see it")
	}
	b.fill("[data-read-form] input", "fruit/0000")
	b.click("[data-read-form] [type=submit]")
	b.untilText("[data-verdict]", "Found")
	b.until("the way in the picture", "document.querySelector('[data-engine] .v-hit')")
	b.picture("inside")
	b.fill("[data-read-form] input", "no such fruit")
	b.click("[data-read-form] [type=submit]")
	b.untilText("[data-verdict]", "Absent")
	b.pressButton("off")
	b.click("[data-compact]")
	b.until("one run", "document.querySelectorAll('[data-level=\"0\"] [data-table]').length === 0")
	b.click("[data-level=\"6\"] [data-table]")
	b.untilText("[data-details]", "in L6")
	b.fits()
}

// live makes traffic and waits for the numbers.
func live(t *testing.T, browser context.Context, site string) {
	b := openTab(t, browser, site, "#/live", look{1280, true})
	b.until("the switch", "document.querySelector('[data-store-switch]')")
	b.pick("[data-store-switch]", "/classroom")
	b.pressButton("8 clients")
	points := 2
	if *pictures != "" {
		points = 18
	}
	b.until("points", fmt.Sprintf("Number(document.querySelector('[data-live]').dataset.points) >= %d", points))
	b.until("requests", "Number(document.querySelector('[data-live] .stat:nth-child(2) strong').textContent) > 0 || /k/.test(document.querySelector('[data-live] .stat:nth-child(2) strong').textContent)")
	if n := eval[int](b, "document.querySelectorAll('.chart canvas').length"); n != 6 {
		t.Errorf("%d charts are drawn, want 6", n)
	}
	b.picture("live")
	b.pressButton("none")
}
