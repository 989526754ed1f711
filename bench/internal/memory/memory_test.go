package memory

import "testing"

func TestUsage_TakesWhatTheSystemTells(t *testing.T) {
	const status = "Name:\tbench\nVmHWM:\t    2048 kB\nRssAnon:\t    1024 kB\nRssFile:\tgarbage\n"
	m := Usage{Heap: 1 << 20, Runtime: 3 << 20}
	if got, want := m.String(), "heap 1.0 MB of 3.0 MB"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	m.setResident([]byte(status))
	if got, want := m.String(), "heap 1.0 MB of 3.0 MB, RssAnon 1.0 MB, RssFile 0.0 MB, peak RSS 2.0 MB"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
