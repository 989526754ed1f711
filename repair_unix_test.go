//go:build unix

package tinykv_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tinykv/tinykv"
)

func TestRepair_RefusesACopyWithinTheStoreByWhicheverLink(t *testing.T) {
	root := t.TempDir()
	dir, link := filepath.Join(root, "store"), filepath.Join(root, "link")
	must(t, errors.Join(fruitStore(t, dir, &tiny).Close(), os.Symlink(dir, link)))
	before := footprint(t, dir)
	for _, c := range [][2]string{{dir, filepath.Join(link, "copy")}, {dir, filepath.Join(link, "a", "b")}, {link, filepath.Join(dir, "copy")}, {dir, link}} {
		_, err := tinykv.Repair(t.Context(), c[0], c[1], nil)
		wantError(t, err, tinykv.ErrInvalidOption)
	}
	if after := footprint(t, dir); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	report, err := tinykv.Repair(t.Context(), link, filepath.Join(root, "copy"), nil)
	must(t, err)
	must(t, report.Err())
}

// What stands under the name of a file but is none is as good as a file that cannot be read: it matters where the store needs it.
func TestRepair_PassesOverWhatIsNoFile(t *testing.T) {
	for _, c := range []struct {
		name     string
		complete bool
	}{
		{"999999.sst", true},
		{"MANIFEST-999999", true},
		{"999999.wal", false}, // perhaps it was the end of the log
	} {
		for _, o := range obstacles {
			if strings.HasSuffix(o.what, " directory") && !strings.HasPrefix(o.what, "a link") {
				continue // somebody else's
			}
			t.Run(c.name+", "+o.what, func(t *testing.T) {
				dir, outside := t.TempDir(), t.TempDir()
				must(t, os.WriteFile(filepath.Join(outside, "file"), []byte("x"), 0o600))
				must(t, fruitStore(t, dir, &tiny).Close())
				must(t, o.put(filepath.Join(dir, c.name), outside))
				report, err := tinykv.Repair(t.Context(), dir, filepath.Join(t.TempDir(), "copy"), nil)
				must(t, err)
				if report.Complete != c.complete || report.Entries == 0 {
					t.Errorf("%s", report)
				}
				if !slices.ContainsFunc(report.Damages, func(d *tinykv.RepairDamage) bool { return filepath.Base(d.File) == c.name }) {
					t.Errorf("it is not named\n%s", report)
				}
			})
		}
	}
}
