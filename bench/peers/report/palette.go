package report

import (
	"image/color"

	"gonum.org/v1/plot/vg/draw"
)

// Greys of what is no engine.
const (
	bandGrey = 245
	lineGrey = 215
)

// colours are those of Okabe and Ito ("Color Universal Design", 2008), which people who see few colours can tell apart,
// without yellow, which is hard to see on white. They are in the order of engines.
func colours() []color.Color {
	return []color.Color{
		color.Gray{0},
		color.RGBA{0xd5, 0x5e, 0x00, 0xff}, // vermilion
		color.RGBA{0x00, 0x72, 0xb2, 0xff}, // blue
		color.RGBA{0x00, 0x9e, 0x73, 0xff}, // green
		color.RGBA{0xe6, 0x9f, 0x00, 0xff}, // orange
		color.RGBA{0xcc, 0x79, 0xa7, 0xff}, // purple
		color.RGBA{0x56, 0xb4, 0xe9, 0xff}, // sky blue
		color.Gray{128},
	}
}

// colour returns the colour of an engine, the same in all plots; grey for one that is not known.
func colour(engine string) color.Color { return colours()[rank(engine)] }

// glyph returns the dot of an engine. Shapes differ as well, for those who see no colours.
func glyph(engine string) draw.GlyphStyle {
	shapes := []draw.GlyphDrawer{
		draw.CircleGlyph{},
		draw.SquareGlyph{},
		draw.TriangleGlyph{},
		draw.CrossGlyph{},
		draw.BoxGlyph{},
		draw.RingGlyph{},
		draw.PyramidGlyph{},
		draw.PlusGlyph{},
	}
	return draw.GlyphStyle{Color: colour(engine), Radius: 3, Shape: shapes[rank(engine)]}
}

// oneStyle is that of the line at 1, where tinykv is.
func oneStyle() draw.LineStyle { return draw.LineStyle{Color: color.Black, Width: 1.5} }
