package planted

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tinykv/tinykv/internal/tally"
)

// bug is a change of the source that breaks something.
type bug struct {
	name     string    // what it breaks
	file     string    // from the top of the module
	old, new string    // old stands there once
	and      [2]string // another old and new, where one alone is made good by the other
	test     string    // that fails under it: a function, or function/subtest
	pkg      string    // of the test, from the top; empty: that of the file
	dies     bool      // the bug is that the process ends: a panic or a fault counts as a failure
}

// bugs returns all of them.
func bugs() []bug {
	return slices.Concat(logBugs, manifestBugs, fileBugs, tableBugs, compactionBugs, storeBugs, recoveryBugs, resumeBugs, inputBugs, featureBugs, otherBugs)
}

// inPackage returns the package of the test, from the top.
func (b *bug) inPackage() string {
	if b.pkg != "" {
		return b.pkg
	}
	return path.Dir(b.file)
}

// function returns the name of the test function.
func (b *bug) function() string {
	name, _, _ := strings.Cut(b.test, "/")
	return name
}

var top = filepath.Join("..", "..")

// mutated returns the text of the bug's file with the bug in it.
func (b *bug) mutated() (string, error) {
	text, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(b.file)))
	if err != nil {
		return "", err
	}
	changed := string(text)
	for _, change := range [][2]string{{b.old, b.new}, b.and} {
		if change == [2]string{} {
			continue
		}
		if n := strings.Count(changed, change[0]); n != 1 {
			return "", fmt.Errorf("%d places in %s, want 1:\n%s", n, b.file, change[0])
		}
		changed = strings.Replace(changed, change[0], change[1], 1)
	}
	return changed, nil
}

func TestBugs_StandWhereTheSourceIsAndHaveATest(t *testing.T) {
	names, tests := map[string]bool{}, map[string]map[string]bool{}
	for _, b := range bugs() {
		if names[b.name] {
			t.Errorf("two bugs are called %q", b.name)
		}
		names[b.name] = true
		text, err := b.mutated()
		if err != nil {
			t.Errorf("%s: %v", b.name, err)
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), b.file, text, parser.SkipObjectResolution); err != nil {
			t.Errorf("%s: %v", b.name, err)
		}
		pkg := b.inPackage()
		if tests[pkg] == nil {
			tests[pkg] = testsOf(t, pkg)
		}
		if !tests[pkg][b.function()] {
			t.Errorf("%s: package %s has no %s", b.name, pkg, b.function())
		}
	}
	if len(names) < 100 {
		t.Errorf("only %d bugs", len(names))
	}
}

// testsOf returns the names of the functions in a package's test files.
func testsOf(t *testing.T, pkg string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(top, filepath.FromSlash(pkg), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}

func TestBugs_AreKilledByTheirTests(t *testing.T) {
	if tally.Level() == tally.Quick {
		t.Skipf("that takes minutes: for a part of it set %s=ci, for all full", tally.AmountEnv)
	}
	chosen := bugs()
	rng := rand.New(rand.NewPCG(tally.Seed(), 17))
	rng.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	chosen = chosen[:tally.Pick(0, 6, len(chosen))]
	var planted, killed atomic.Int64
	t.Run("without", func(t *testing.T) {
		for pkg, tests := range byPackage(chosen) {
			t.Run(pkg, func(t *testing.T) { wantPass(t, pkg, tests) })
		}
	})
	t.Run("with", func(t *testing.T) {
		turns := make(chan struct{}, 2) // at once
		for _, b := range chosen {
			t.Run(b.name, func(t *testing.T) {
				t.Parallel()
				turns <- struct{}{}
				defer func() { <-turns }()
				if strings.HasSuffix(b.file, "_linux.go") && runtime.GOOS != "linux" {
					t.Skip("this system does not have the file")
				}
				planted.Add(1)
				if wantKilled(t, &b) {
					killed.Add(1)
				}
			})
		}
	})
	tally.Row{
		ID: "A17", Suite: "planted bugs", Load: "for each bug the test that is named beside it, which passes without",
		Faults: planted.Load(), Unit: "planted bugs", Counts: []tally.Count{{Name: "killed", N: killed.Load()}},
		Violations: planted.Load() - killed.Load(), Seed: tally.Seed(),
		Replay: tally.AmountEnv + "=full go test -timeout 1h -run TestBugs_AreKilledByTheirTests ./reliability/planted",
	}.Record(t)
}

// byPackage returns the test functions of bugs by package.
func byPackage(chosen []bug) map[string][]string {
	tests := map[string][]string{}
	for _, b := range chosen {
		pkg := b.inPackage()
		if !slices.Contains(tests[pkg], b.function()) {
			tests[pkg] = append(tests[pkg], b.function())
		}
	}
	return tests
}

// goTest runs tests of a package and returns what they print. Tests that have a short form take that: what a bug breaks shows early.
func goTest(pkg, run string, more ...string) (output string, err error) {
	args := append([]string{"test", "-count=1", "-short", "-vet=off", "-timeout=3m", "-run", run}, more...)
	command := exec.Command("go", append(args, "./"+pkg)...)
	command.Dir = top
	command.Env = append(os.Environ(), tally.AmountEnv+"=", tally.OutEnv+"=") // the rows of those tests are none
	out, err := command.CombinedOutput()
	return string(out), err
}

// wantPass wants tests to pass as the source is.
func wantPass(t *testing.T, pkg string, tests []string) {
	t.Helper()
	output, err := goTest(pkg, "^("+strings.Join(tests, "|")+")$", "-v")
	if err != nil {
		t.Fatalf("%v\n%s", err, tail(output))
	}
	for _, name := range tests {
		if !strings.Contains(output, "--- PASS: "+name+" ") {
			t.Errorf("%s has not passed", name)
		}
	}
}

// wantKilled wants the test of a bug to fail under it, and reports whether it does.
func wantKilled(t *testing.T, b *bug) bool {
	t.Helper()
	overlay, start := plant(t, b), time.Now()
	output, err := goTest(b.inPackage(), pattern(b.test), "-failfast", "-overlay="+overlay)
	switch {
	case strings.Contains(output, "[build failed]") || strings.Contains(output, "[setup failed]"):
		t.Fatalf("this is no bug, it does not compile:\n%s", tail(output))
	case strings.Contains(output, "panic: test timed out"):
		t.Errorf("%s: survives %s, which did not end:\n%s", b.file, b.test, tail(output))
	case died(output) && !b.dies:
		t.Errorf("%s: %s does not fail, it dies:\n%s", b.file, b.test, tail(output))
	case err == nil:
		t.Errorf("%s: survives %s", b.file, b.test)
	case !b.dies && !strings.Contains(output, "--- FAIL: "+b.function()+" "):
		t.Errorf("%s: %s has not failed:\n%s", b.file, b.test, tail(output))
	}
	if t.Failed() {
		return false
	}
	t.Logf("killed by %s after %v", b.test, time.Since(start).Round(time.Second/10))
	return true
}

// plant makes a copy of the bug's file with the bug in it, and returns the overlay that puts it in place of the file. The tree stays as
// it is.
func plant(t *testing.T, b *bug) (overlay string) {
	t.Helper()
	text, err := b.mutated()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, err := filepath.Abs(filepath.Join(top, filepath.FromSlash(b.file)))
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, path.Base(b.file))
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {file: copied}})
	if err != nil {
		t.Fatal(err)
	}
	overlay = filepath.Join(dir, "overlay.json")
	for name, contents := range map[string][]byte{copied: []byte(text), overlay: replace} {
		if err := os.WriteFile(name, contents, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return overlay
}

// pattern returns the value of -run for a test or a subtest.
func pattern(test string) string {
	parts := strings.Split(test, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	return strings.Join(parts, "/")
}

var death = regexp.MustCompile(`(?m)^(panic: |fatal error: |unexpected fault address|SIG[A-Z]+: )`)

// died tells whether the process of a test did not end by itself.
func died(output string) bool { return death.MatchString(output) }

func tail(output string) string { return output[max(0, len(output)-2000):] }
