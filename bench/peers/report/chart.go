package report

import (
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/tinykv/tinykv/bench/peers/record"
)

// chart has a band for each row, from top to bottom, and in it a lane for each engine, with a span in it: a bar in one kind
// of plot, a dot with a tail in the other.
type chart struct {
	title   string
	suffix  string // of the file
	rows    []rowKey
	engines []string // with a lane
	spans   []span
	kind    kind
	names   map[string]string // of engines in the legend
	foot    []string          // lines below the axis, the first says what it is
}

// kind is what a chart's spans are drawn as.
type kind int

const (
	bars kind = iota // from 1, where tinykv is, with the number at the end
	dots             // a dot at the end, a thin line from the start
)

// span is the result of an engine in a row, from a start to an end on the axis. An end of 0 says that there is none.
type span struct {
	row, engine int
	start, end  float64
}

// throughputChart shows the throughput of rivals relative to tinykv.
func (r *results) throughputChart(g int) *chart {
	c := &chart{
		title:   r.caption(groups()[g].title + ": throughput relative to tinykv"),
		foot:    []string{"← tinykv is faster      throughput, tinykv = 1      the rival is faster →"},
		suffix:  throughputSuffix,
		engines: r.rivals(),
		kind:    bars,
	}
	r.addDurability(c, g)
	for _, k := range r.inGroup(g) {
		c.addRow(k, func(engine string) (span, bool) {
			v, ok := r.versus(k, engine, throughput)
			return span{start: 1, end: 1 / v.ratio}, ok
		}, func(engine string) bool { return r.cell(k, engine) != nil })
	}
	return c
}

// latencyChart shows the median and the 99.9th percentile of the latency.
func (r *results) latencyChart(g int) *chart {
	c := &chart{
		title:   r.caption(groups()[g].title + ": latency of one operation, dot: 99.9th percentile, line: from the median"),
		foot:    []string{"microseconds"},
		suffix:  latencySuffix,
		engines: r.engines,
		kind:    dots,
	}
	r.addDurability(c, g)
	for _, k := range r.inGroup(g) {
		c.addRow(k, func(engine string) (span, bool) {
			p50 := r.cell(k, engine).of(timed(func(row *record.Row) float64 { return positive(row.P50) }))
			p999 := r.cell(k, engine).of(timed(func(row *record.Row) float64 { return positive(row.P999) }))
			return span{start: p50.median, end: p999.median}, p50.n > 0 && p999.n > 0
		}, func(string) bool { return false })
	}
	return c
}

// addRow appends a row of which some engine has a span; failed tells of the others whether that is to be seen.
func (c *chart) addRow(k rowKey, of func(string) (span, bool), failed func(string) bool) {
	var spans []span
	some := false
	for i, e := range c.engines {
		s, ok := of(e)
		if !ok && !failed(e) {
			continue
		}
		if !ok {
			s = span{start: 1}
		}
		some = some || ok
		s.row, s.engine = len(c.rows), i
		spans = append(spans, s)
	}
	if some {
		c.rows = append(c.rows, k)
		c.spans = append(c.spans, spans...)
	}
}

// addDurability puts the letters of the engines' durability into the legend, and what they mean below the axis, where
// rows of the group write.
func (r *results) addDurability(c *chart, g int) {
	if !slices.ContainsFunc(r.inGroup(g), func(k rowKey) bool { return writes(k.name) }) {
		return
	}
	c.names = map[string]string{}
	for _, e := range r.heads() {
		letter := r.letter(e.Name)
		c.names[e.Name] = e.Name + " " + letter
		if line := letter + ": an acknowledged write survives " + oneLine(e.Durability); !slices.Contains(c.foot, line) {
			c.foot = append(c.foot, line)
		}
	}
	if slices.ContainsFunc(r.inGroup(g), func(k rowKey) bool { return k.name == syncRow }) {
		c.foot = append(c.foot, syncRow+": every write of every engine waits until it is on stable storage")
	}
}

// name returns what the legend calls an engine.
func (c *chart) name(engine string) string {
	if name, ok := c.names[engine]; ok {
		return name
	}
	return engine
}

// bandHeight returns the height of a row in points.
func (c *chart) bandHeight() float64 { return float64(len(c.engines)*laneHeight + bandGap) }

// plot returns the chart ready to be drawn. Rows are numbered downwards from 0 on the vertical axis, a band being 1 high.
func (c *chart) plot() *plot.Plot {
	p := plot.New()
	p.Title.Text = c.title
	p.Title.TextStyle.Font = sans(11)
	p.Title.Padding = 8
	p.X.Tick.Label.Font = sans(9)
	p.X.Scale = plot.LogScale{}
	p.X.Min, p.X.Max = c.limits()
	p.X.Tick.Marker = plot.ConstantTicks(ticks(p.X.Min, p.X.Max))
	p.Y.Min, p.Y.Max = -float64(len(c.rows))+0.5, 0.5
	p.Y.Tick.Label.Font = sans(9)
	p.Y.Tick.Length = 0
	p.Y.LineStyle.Width = 0
	p.Y.Padding = 0
	p.X.Padding = 0
	p.Y.Tick.Marker = plot.ConstantTicks(c.labels())
	p.Add(c)
	return p
}

// labels returns the names of rows as the vertical axis has them.
func (c *chart) labels() []plot.Tick {
	var all []plot.Tick
	for i, k := range c.rows {
		label := k.name + " ×" + strconv.Itoa(k.threads)
		if k.state == record.StateFilled {
			label += " (" + k.state + ")"
		}
		all = append(all, plot.Tick{Value: -float64(i), Label: label})
	}
	return all
}

// limits returns the ends of the axis: all spans and 1 in a chart of bars, with room for numbers at their ends.
func (c *chart) limits() (least, most float64) {
	least, most = math.Inf(1), 0
	if c.kind == bars {
		least, most = 1, 1
	}
	for _, s := range c.spans {
		if s.end > 0 {
			least, most = min(least, s.start, s.end), max(most, s.start, s.end)
		}
	}
	room := math.Pow(max(most/least, 4), 0.1)
	return least / room, most * room
}

// ticks returns marks at 1, 2 and 5 times the powers of ten; of a wide range only the powers have numbers.
func ticks(least, most float64) []plot.Tick {
	var all []plot.Tick
	wide := most/least > 2000
	for e := math.Floor(math.Log10(least)); e <= math.Log10(most); e++ {
		for _, m := range []float64{1, 2, 5} {
			x := m * math.Pow(10, e)
			if x < least || x > most {
				continue
			}
			label := strconv.FormatFloat(x, 'g', 3, 64)
			if wide && m != 1 {
				label = ""
			}
			all = append(all, plot.Tick{Value: x, Label: label})
		}
	}
	return all
}

// legend returns what the colours mean.
func (c *chart) legend() *plot.Legend {
	l := plot.NewLegend()
	l.Top, l.Left = true, true
	l.TextStyle.Font = sans(10)
	l.ThumbnailWidth = 14
	l.Padding = 4
	if c.kind == bars {
		l.Add(c.name(self), thumbnail{self, bars, true})
	}
	for _, e := range c.engines {
		l.Add(c.name(e), thumbnail{e, c.kind, false})
	}
	return &l
}

// thumbnail is the sign of an engine in the legend.
type thumbnail struct {
	engine string
	kind   kind
	line   bool // the line at 1
}

// Thumbnail draws the sign.
func (t thumbnail) Thumbnail(c *draw.Canvas) {
	middle := (c.Min.Y + c.Max.Y) / 2
	switch {
	case t.line:
		x := (c.Min.X + c.Max.X) / 2
		c.StrokeLine2(oneStyle(), x, c.Min.Y, x, c.Max.Y)
	case t.kind == bars:
		box(c, c.Min.X, middle-3.5, c.Max.X, middle+3.5, colour(t.engine))
	default:
		c.DrawGlyph(glyph(t.engine), vg.Point{X: (c.Min.X + c.Max.X) / 2, Y: middle})
	}
}

// small returns the style of the numbers at bars.
func small(p *plot.Plot) text.Style {
	return text.Style{Color: color.Black, Font: sans(7), Handler: p.TextHandler, YAlign: draw.YCenter}
}
