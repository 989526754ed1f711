package report

import (
	"errors"
	"fmt"
	"image/color"
	"io"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// plotsDir is where plots are, from the report.
const plotsDir = "plots"

// What a plot's name ends with, after that of the group.
const (
	throughputSuffix = "-throughput"
	latencySuffix    = "-latency"
)

// Sizes in points.
const (
	plotWidth   = 760
	legendWidth = 90
	edge        = 10
	headHeight  = 60 // the title
	axisHeight  = 30
	footLine    = 12 // each line below the axis
	laneHeight  = 9  // of an engine in a row
	bandGap     = 8  // between rows
)

// pictureDots is how many pixels an inch has in a PNG.
const pictureDots = 144

// writePlots writes the plots of all groups that have rows, and returns the names of the PNG files.
func (r *results) writePlots(dir string) ([]string, error) {
	var files []string
	for g, of := range groups() {
		for _, c := range []*chart{r.throughputChart(g), r.latencyChart(g)} {
			if len(c.rows) == 0 {
				continue
			}
			name := of.file + c.suffix
			if err := c.save(filepath.Join(dir, name)); err != nil {
				return nil, fmt.Errorf("plot %s: %w", name, err)
			}
			files = append(files, name+".png")
		}
	}
	return files, nil
}

// caption returns the title of a plot: what it shows, and of which run.
func (r *results) caption(what string) string {
	last := r.runs[len(r.runs)-1]
	return fmt.Sprintf("%s\n%s\ncommit %s, %s", what, subject(&last), oneLine(last.Commit), last.Started.UTC().Format("2006-01-02"))
}

// save draws the chart as PNG and as SVG.
func (c *chart) save(name string) error {
	height := vg.Length(headHeight + axisHeight + footLine*float64(len(c.foot)) + c.bandHeight()*float64(len(c.rows)))
	p := c.plot()
	img := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(plotWidth, height), vgimg.UseDPI(pictureDots))}
	svg := vgsvg.New(plotWidth, height)
	c.draw(p, draw.New(img))
	c.draw(p, draw.NewCanvas(svg, plotWidth, height))
	return errors.Join(writeFile(name+".png", img), writeFile(name+".svg", svg))
}

// draw draws the plot and, to its right, the legend.
func (c *chart) draw(p *plot.Plot, canvas draw.Canvas) {
	canvas.SetColor(color.White)
	canvas.Fill(canvas.Rectangle.Path())
	foot := vg.Length(footLine * len(c.foot))
	area := draw.Crop(canvas, edge, -legendWidth-edge, edge+foot, -edge)
	p.Draw(area)
	c.legend().Draw(draw.Crop(canvas, plotWidth-legendWidth, -edge, edge+foot, -headHeight))
	data := p.DataCanvas(area)
	c.drawFoot(p, canvas, data.Center().X)
}

// drawFoot draws the lines below the axis. As label of the axis they would take room from it: on a logarithmic axis the
// library takes the middle of the values for the middle of the picture.
func (c *chart) drawFoot(p *plot.Plot, canvas draw.Canvas, middle vg.Length) {
	style := text.Style{Color: color.Black, Font: sans(9), Handler: p.TextHandler, XAlign: draw.XCenter}
	for i, line := range c.foot {
		y := canvas.Min.Y + edge + vg.Length(footLine*(len(c.foot)-1-i))
		canvas.FillText(style, vg.Point{X: middle, Y: y}, line)
	}
}

// writeFile writes a drawing to a file.
func writeFile(name string, drawing io.WriterTo) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = drawing.WriteTo(file)
	return errors.Join(err, file.Close())
}

// sans returns the font of plots.
func sans(points vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: points}
}
