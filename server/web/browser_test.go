//go:build linux

package web_test

import (
	"net/http/httptest"
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/tinykv/tinykv"
	"github.com/tinykv/tinykv/server"
)

// browser starts a browser with an empty profile; the test skips where there is none, which continuous integration installs.
func browser(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("no chromium (Debian: apt-get install chromium)")
	}
}

func TestPage_Opens(t *testing.T) {
	browser(t)
	db, err := tinykv.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := server.New(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	site := httptest.NewServer(s)
	defer site.Close()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox)
	alloc, stop := chromedp.NewExecAllocator(t.Context(), options...)
	defer stop()
	ctx, end := chromedp.NewContext(alloc)
	defer end()
	if err := chromedp.Do(ctx, chromedp.Navigate(site.URL)); err != nil {
		t.Fatal(err)
	}
	title, err := chromedp.Run(ctx, chromedp.Title())
	if err != nil {
		t.Fatal(err)
	}
	if title != "Play · tinykv" {
		t.Errorf("title %q", title)
	}
}
