package compaction

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tinykv/tinykv/internal/key"
	"github.com/tinykv/tinykv/manifest"
	"github.com/tinykv/tinykv/sstable"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// A script is cases apart by blank lines: a command, its input, four dashes, its output. Lines that
// begin with # are comments. With -update the outputs are written anew.
//
//	options l0=4 base=1000 multiplier=10 table=100     in force from here on; s2=N: compressed from
//	                                                   level N on; settled=N: seen by all up to N
//	tree                                               the input is a tree, see below
//	shape                                              base, target and score of each level
//	pick [busy=N,N]                                    what is to be done; tables N are busy
//	range level=N deepest=N [from=K] [to=K]            the same, of a range of keys
//	deepest [from=K] [to=K]                            deepest level with tables in a range
//	settle                                             picks until nothing is due, on paper
//
// A tree is a line for each level: tables as NUM[SMALLEST-LARGEST]SIZE, with d behind it when they hold
// tombstones, s when they hold what is shadowed, c when they were to be compressed. Table N has the sequence numbers 10N to 10N+9.
type script struct {
	t       *testing.T
	opts    Options
	version *manifest.Version
}

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runScript(t, file) })
	}
}

func runScript(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, opts: Options{L0Tables: 4, BaseBytes: 1000, Multiplier: 10, TableBytes: 100}, version: &manifest.Version{}}
	var out []string
	for _, block := range strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")), "\n\n") {
		var comments, input []string
		expected := ""
		lines := strings.Split(block, "\n")
		for i, line := range lines {
			if line == "----" {
				expected = strings.Join(lines[i+1:], "\n")
				break
			}
			if strings.HasPrefix(line, "#") {
				comments = append(comments, line)
			} else {
				input = append(input, line)
			}
		}
		if len(input) == 0 {
			out = append(out, strings.Join(comments, "\n"))
			continue
		}
		got := strings.TrimSpace(s.run(input[0], input[1:]))
		if got != expected && !*update {
			t.Errorf("%s:\n%s\ngot\n%s\nwant\n%s", file, strings.Join(append(comments, input...), "\n"), got, expected)
		}
		out = append(out, strings.Join(append(append(comments, input...), "----", got), "\n"))
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(strings.Join(out, "\n\n"), "----\n\n", "----\n")+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// run carries out one command.
func (s *script) run(command string, input []string) string {
	words := strings.Fields(command)
	args := map[string]string{}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		args[name] = value
	}
	switch words[0] {
	case "options":
		s.opts = Options{
			L0Tables: s.number(args["l0"]), BaseBytes: int64(s.number(args["base"])),
			Multiplier: s.number(args["multiplier"]), TableBytes: int64(s.number(args["table"])),
		}
		if args["s2"] != "" {
			for level := s.number(args["s2"]); level < len(s.opts.Compression); level++ {
				s.opts.Compression[level] = sstable.S2
			}
		}
		if args["settled"] != "" {
			s.opts.Settled = key.SeqNum(s.number(args["settled"]))
		}
		return "ok"
	case "tree":
		s.version = parseTree(s.t, strings.Join(input, "\n"))
		return "ok"
	case "shape":
		return s.shape()
	case "pick":
		busy := strings.Split(args["busy"], ",")
		return s.plan(Pick(s.version, s.opts, claimed(s.version, func(t *manifest.Table) bool { return slices.Contains(busy, fmt.Sprint(t.Num)) })))
	case "range":
		return s.plan(PickRange(s.version, manifest.Level(s.number(args["level"])), manifest.Level(s.number(args["deepest"])),
			bound(args, "from"), bound(args, "to"), s.opts))
	case "deepest":
		return fmt.Sprintf("L%d", Deepest(s.version, bound(args, "from"), bound(args, "to")))
	case "settle":
		return s.settle()
	default:
		s.t.Fatalf("unknown command %q", command)
		return ""
	}
}

func (s *script) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func bound(args map[string]string, name string) []byte {
	if args[name] == "" {
		return nil
	}
	return stored(args[name])
}

func stored(user string) []byte { return key.AppendStored(nil, 0, []byte(user)) }

func (s *script) shape() string {
	shape := ShapeOf(s.version, s.opts)
	var b strings.Builder
	fmt.Fprintf(&b, "base L%d\n", shape.Base)
	for level := manifest.Level(0); level < manifest.NumLevels; level++ {
		fmt.Fprintf(&b, "L%d %d of %d score %.2f\n", level, s.version.Bytes(level), shape.Target[level], Score(s.version, level, &shape, s.opts))
	}
	return b.String()
}

func (s *script) plan(p *Plan) string {
	if p == nil {
		return "nothing"
	}
	text := p.String()
	if len(p.Grandparents) > 0 {
		text += ", above"
		for _, t := range p.Grandparents {
			text += fmt.Sprintf(" %d", t.Num)
		}
	}
	if p.Score != 0 {
		text += fmt.Sprintf(", score %.2f", p.Score)
	}
	return text
}

// settle carries plans out on paper: a merge makes one table of all its inputs.
func (s *script) settle() string {
	var b strings.Builder
	next := manifest.FileNum(1000)
	for range 100 {
		p := Pick(s.version, s.opts, nil)
		if p == nil {
			return b.String() + "settled\n" + s.version.String()
		}
		fmt.Fprintln(&b, p)
		s.version = carryOut(s.t, s.version, p, next, s.opts)
		next++
	}
	return b.String() + "does not settle"
}

// carryOut returns the version after a plan whose merge makes one table.
func carryOut(t *testing.T, v *manifest.Version, p *Plan, num manifest.FileNum, opts Options) *manifest.Version {
	t.Helper()
	out := &manifest.Table{Num: num, Smallest: p.Upper[0].Smallest, SmallestSeq: key.MaxSeqNum, Compression: uint8(opts.Compression[p.Output])}
	for _, in := range p.Inputs() {
		if key.Compare(in.Smallest, out.Smallest) < 0 {
			out.Smallest = in.Smallest
		}
		if key.Compare(in.Largest, out.Largest) > 0 {
			out.Largest = in.Largest
		}
		out.SmallestSeq, out.LargestSeq = min(out.SmallestSeq, in.SmallestSeq), max(out.LargestSeq, in.LargestSeq)
		out.Size += in.Size
	}
	next, err := v.Apply(p.Edit([]*manifest.Table{out}))
	if err != nil {
		t.Fatalf("%v: %v", p, err)
	}
	return next
}

// parseTree reads a tree as the comment of script describes it.
func parseTree(t *testing.T, text string) *manifest.Version {
	t.Helper()
	e := &manifest.Edit{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		level := manifest.Level(words[0][1] - '0')
		for _, word := range words[1:] {
			e.Added = append(e.Added, manifest.AddedTable{Level: level, Table: parseTable(t, word)})
		}
	}
	v, err := (&manifest.Version{}).Apply(e)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func parseTable(t *testing.T, text string) *manifest.Table {
	t.Helper()
	num, rest, ok := strings.Cut(text, "[")
	bounds, rest, ok2 := strings.Cut(rest, "]")
	lower, upper, ok3 := strings.Cut(bounds, "-")
	n, err := strconv.ParseUint(num, 10, 32)
	digits := strings.TrimRight(rest, "dsc")
	size, err2 := strconv.ParseInt(digits, 10, 64)
	if !ok || !ok2 || !ok3 || err != nil || err2 != nil {
		t.Fatalf("table %q: want NUM[SMALLEST-LARGEST]SIZE", text)
	}
	out := &manifest.Table{
		Num: manifest.FileNum(n), Size: size,
		Smallest:    key.Internal{Stored: stored(lower), Trailer: key.MakeTrailer(key.SeqNum(10*n+9), key.KindSet)},
		Largest:     key.Internal{Stored: stored(upper), Trailer: key.MakeTrailer(key.SeqNum(10*n), key.KindSet)},
		SmallestSeq: key.SeqNum(10 * n), LargestSeq: key.SeqNum(10*n + 9), Entries: 10,
	}
	for _, flag := range rest[len(digits):] {
		switch flag {
		case 'd':
			out.Deletes = 5
		case 's':
			out.Shadowed = 5
		case 'c':
			out.Compression = uint8(sstable.S2)
		}
	}
	return out
}
