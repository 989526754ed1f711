//go:build linux

package web_test

import (
	"context"
	"testing"
)

// What a view stumbles over takes that view alone, until it is shown again.
func fault(t *testing.T, browser context.Context) {
	db, site := newSite(t, nil)
	sample(t, db)
	b := openTab(t, browser, site, "#/play", look{1280, false})
	b.until("the view", "document.querySelector('[data-connection=open]')")
	eval[bool](b, `(() => {
		window.whole = Object.getOwnPropertyDescriptor(Intl.NumberFormat.prototype, "format");
		Object.defineProperty(Intl.NumberFormat.prototype, "format", { configurable: true, get() { throw new Error("numbers are broken") } });
		return true;
	})()`)
	b.to("#/data", "Data")
	b.until("the fault", "document.querySelector('[data-broken]')")
	b.to("#/play", "Play")
	b.until("another view", "!document.querySelector('[data-broken]')")
	b.to("#/data", "Data")
	b.until("the fault again", "document.querySelector('[data-broken]')")
	eval[bool](b, "Object.defineProperty(Intl.NumberFormat.prototype, \"format\", window.whole); true")
	b.pressButton("Show it again")
	b.until("the data", "!document.querySelector('[data-broken]') && document.querySelector('main table')")
}
