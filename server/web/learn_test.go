//go:build linux

package web_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/tally"
	"github.com/tinykv/tinykv/server"
)

func TestLearn_InABrowser(t *testing.T) {
	browser := startBrowser(t)
	_, site := newSite(t, &server.Options{Classroom: newClassroom(t)})
	for n, want := range [][]string{
		{"Acknowledged as number", "this one waited for the disk"},
		{"apple, fig, pear, plum, quince", "a memtable has become a table"},
		{"A read says “blue”", "The newest entry is a tombstone"},
		{"Filters said “no”", "asked; "},
		{"one key was read ten times", "300 keys were read in order"},
		{"writes to 200 keys", "A read looks at"},
		{"The transaction reads “before”, everybody else “after”", "Second: refused: "},
	} {
		t.Run(fmt.Sprintf("lesson %d", n+1), func(t *testing.T) { lesson(t, browser, site, n+1, want) })
	}
	t.Run("the plug", func(t *testing.T) { plug(t, browser, site) })
}

// lesson presses the buttons of a lesson and reads what they tell.
func lesson(t *testing.T, browser context.Context, site string, n int, want []string) {
	b := openTab(t, browser, site, fmt.Sprintf("#/learn/%d", n), look{1280, n%2 == 0}, "409")
	for i, text := range want {
		b.click(fmt.Sprintf("[data-do=act-%d]", i+1))
		b.untilText(".told", text)
		b.until("it is done", "document.querySelector('[data-doing=done]')")
	}
	b.until("the picture", "document.querySelector('[data-inside]')")
	b.click("summary")
	b.until("the answer", "document.querySelector('details[open] p')")
	b.fits()
	b.shot(fmt.Sprintf("lesson-%d", n))
}

// pulls is how often the plug is pulled; what was acknowledged before any of them must be there after each.
const pulls = 20

func plug(t *testing.T, browser context.Context, site string) {
	b := openTab(t, browser, site, "#/learn/8", look{1280, false}, "502", "503")
	for i := range pulls {
		b.click("#plug-write")
		b.until("some more are written", fmt.Sprintf("Number(document.querySelector('#plug').dataset.written) > %d", 50*(i+1)))
		b.click("#plug-pull")
		b.until("the verdict", fmt.Sprintf("document.querySelector('#plug[data-state=done][data-pulls=\"%d\"]')", i+1))
		verdict := eval[string](b, "document.querySelector('.verdict').textContent")
		if lost := eval[string](b, "document.querySelector('#plug').dataset.lost"); lost != "0" || !strings.HasSuffix(verdict, "lost 0") {
			t.Fatalf("lost %s at pull %d; %s", lost, i+1, verdict)
		}
	}
	if n := eval[int](b, "Number(document.querySelector('#plug').dataset.acknowledged)"); n <= 50*pulls {
		t.Errorf("%d were acknowledged", n)
	}
	tally.Row{
		ID: "A26", Suite: "the plug, pulled from the page", Load: "a browser that writes numbered keys by REST, four at a time, and reads all of them back",
		Faults: pulls, Unit: "kills", Counts: []tally.Count{{Name: "acknowledged writes", N: int64(eval[int](b, "Number(document.querySelector('#plug').dataset.acknowledged)"))}},
		Replay: "go test -run TestLearn ./server/web",
	}.Record(t)
	b.shot("lesson-8")
}
