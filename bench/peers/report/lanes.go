package report

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Plot draws bands, lines at the marks of the axis, and the spans.
func (c *chart) Plot(canvas draw.Canvas, p *plot.Plot) {
	for i := 0; i < len(c.rows); i += 2 {
		top, bottom := p.Y.Norm(-float64(i)+0.5), p.Y.Norm(-float64(i)-0.5)
		box(&canvas, canvas.Min.X, canvas.Y(bottom), canvas.Max.X, canvas.Y(top), color.Gray{bandGrey})
	}
	for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		x := canvas.X(p.X.Norm(t.Value))
		canvas.StrokeLine2(draw.LineStyle{Color: color.Gray{lineGrey}, Width: 0.4}, x, canvas.Min.Y, x, canvas.Max.Y)
	}
	for _, s := range c.spans {
		c.drawSpan(canvas, p, s)
	}
	if c.kind == bars {
		x := canvas.X(p.X.Norm(1))
		canvas.StrokeLine2(oneStyle(), x, canvas.Min.Y, x, canvas.Max.Y)
	}
}

// drawSpan draws the result of an engine in a row.
func (c *chart) drawSpan(canvas draw.Canvas, p *plot.Plot, s span) {
	band := c.bandHeight()
	down := (bandGap/2 + (float64(s.engine)+0.5)*laneHeight) / band // of the band
	y := canvas.Y(p.Y.Norm(-float64(s.row) + 0.5 - down))
	if s.end == 0 {
		canvas.FillText(small(p), vg.Point{X: canvas.X(p.X.Norm(1)) + 4, Y: y}, "no result")
		return
	}
	start, end := canvas.X(p.X.Norm(s.start)), canvas.X(p.X.Norm(s.end))
	if c.kind == dots {
		canvas.StrokeLine2(draw.LineStyle{Color: colour(c.engines[s.engine]), Width: 1.2}, start, y, end, y)
		canvas.DrawGlyph(glyph(c.engines[s.engine]), vg.Point{X: end, Y: y})
		return
	}
	box(&canvas, start, y-laneHeight*0.42, end, y+laneHeight*0.42, colour(c.engines[s.engine]))
	style := small(p)
	at := vg.Point{X: end + 3, Y: y}
	if s.end < s.start {
		style.XAlign = draw.XRight
		at.X = end - 3
	}
	canvas.FillText(style, at, ratio(s.end))
}

// DataRange returns the ends of the axes, which are set beforehand, so that adding the chart leaves them as they are.
func (c *chart) DataRange() (xmin, xmax, ymin, ymax float64) {
	xmin, xmax = c.limits()
	return xmin, xmax, -float64(len(c.rows)) + 0.5, 0.5
}

// box fills a rectangle.
func box(canvas *draw.Canvas, x0, y0, x1, y1 vg.Length, fill color.Color) {
	canvas.FillPolygon(fill, []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
}
