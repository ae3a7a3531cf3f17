package page

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// leastContrast is what text needs on what is behind it [WCAG 2.2, 1.4.3].
const leastContrast = 4.5

// rgb is a colour of the sRGB space.
type rgb struct{ r, g, b uint8 }

var hexColour = regexp.MustCompile(`^#?[0-9a-fA-F]{6}$`)

// parseColour reads #rrggbb, or rrggbb: in a Caddyfile a # begins a comment.
func parseColour(s string) (rgb, error) {
	if !hexColour.MatchString(s) {
		return rgb{}, errors.New("must be six hexadecimal digits, for example 2450c8")
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "#"), 16, 32)
	if err != nil {
		return rgb{}, err
	}
	return rgb{uint8(n >> 16), uint8(n >> 8), uint8(n)}, nil
}

// String returns the colour as #rrggbb.
func (c rgb) String() string { return fmt.Sprintf("#%02x%02x%02x", c.r, c.g, c.b) }

// mix returns the colour with a share of another, from 0 to 1.
func (c rgb) mix(other rgb, share float64) rgb {
	part := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + share*(float64(b)-float64(a)))) }
	return rgb{part(c.r, other.r), part(c.g, other.g), part(c.b, other.b)}
}

// luminance is the relative luminance [WCAG 2.2].
func (c rgb) luminance() float64 {
	channel := func(v uint8) float64 {
		c := float64(v) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(c.r) + 0.7152*channel(c.g) + 0.0722*channel(c.b)
}

// contrast is the contrast ratio of two colours, from 1 to 21 [WCAG 2.2].
func contrast(a, b rgb) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// palette is one of the two palettes of the style sheet, as far as an accent
// depends on it.
type palette struct {
	name string
	// card and ground are what stands behind the accent; the text on it is the
	// ink. Away is where an accent with too little contrast has to go.
	card, ground, ink, away rgb
	// accent and tinted are ours, in whose place an operator's colours stand.
	accent, tinted rgb
	// hover and tint are the shares of away and of the accent in them.
	hover, tint float64
}

var (
	white  = rgb{0xff, 0xff, 0xff}
	lights = palette{
		name: "light", card: white, ground: rgb{0xf2, 0xf4, 0xf8}, ink: white, hover: 0.25, tint: 0.07,
		accent: rgb{0x24, 0x50, 0xc8}, tinted: rgb{0xf0, 0xf4, 0xfe},
	}
	darks = palette{
		name: "dark", card: rgb{0x17, 0x1e, 0x28}, ground: rgb{0x0d, 0x12, 0x19},
		ink: rgb{0x0b, 0x17, 0x33}, away: white, hover: 0.3, tint: 0.1,
		accent: rgb{0x8d, 0xb1, 0xff}, tinted: rgb{0x1e, 0x2a, 0x40},
	}
)

// least returns the lowest contrast that the accent has in the palette: as a
// link on each ground, and behind the words of a button.
func (p palette) least(accent rgb) float64 {
	return min(contrast(accent, p.card), contrast(accent, p.ground),
		contrast(accent, p.card.mix(accent, p.tint)), contrast(accent, p.ink))
}

// nearest returns the accent, or what comes nearest to it with enough contrast:
// darker in the light palette, lighter in the dark one.
func (p palette) nearest(accent rgb) rgb {
	const steps = 256
	for i := range steps {
		if c := accent.mix(p.away, float64(i)/steps); p.least(c) >= leastContrast {
			return c
		}
	}
	return p.away
}

// check says what is wrong with an accent in the palette.
func (p palette) check(accent rgb) error {
	if got := p.least(accent); got < leastContrast {
		// Rounded down: 4.49 is not enough, and is not to be called 4.5.
		return fmt.Errorf("has a contrast of %.2f:1 on the %s pages, and text needs %.1f:1 [WCAG 1.4.3]; the nearest colour that does is %s",
			math.Floor(got*100)/100, p.name, leastContrast, p.nearest(accent))
	}
	return nil
}

// CheckColour says what is wrong with the colour of links and buttons, rrggbb:
// its form, or a contrast below 4.5 to 1 in the light or the dark palette. Its
// error follows the name of what was given.
func CheckColour(colour string, dark bool) error {
	c, err := parseColour(colour)
	if err != nil {
		return err
	}
	if dark {
		return darks.check(c)
	}
	return lights.check(c)
}

// accents returns the accents of both palettes, as far as they are given: the
// dark one is made of the light one where only that is.
func (o Options) accents() (light, dark *rgb, err error) {
	if o.Colour == "" {
		if o.ColourDark != "" {
			return nil, nil, errors.New("page: a colour for dark pages needs one for light pages")
		}
		return nil, nil, nil
	}
	if err := CheckColour(o.Colour, false); err != nil {
		return nil, nil, fmt.Errorf("page: colour %s %w", o.Colour, err)
	}
	l, err := parseColour(o.Colour)
	if err != nil {
		return nil, nil, err
	}
	if o.ColourDark == "" {
		d := darks.nearest(l)
		return &l, &d, nil
	}
	if err := CheckColour(o.ColourDark, true); err != nil {
		return nil, nil, fmt.Errorf("page: colour %s %w", o.ColourDark, err)
	}
	d, err := parseColour(o.ColourDark)
	return &l, &d, err
}

// recolour puts an operator's accents into the style sheet.
func recolour(style string, light, dark *rgb) string {
	if light == nil {
		return style
	}
	day, night, found := strings.Cut(style, "@media (prefers-color-scheme: dark)")
	if !found {
		return style
	}
	return lights.paint(day, *light) + "@media (prefers-color-scheme: dark)" + darks.paint(night, *dark)
}

// paint replaces the colours of one palette that depend on the accent.
func (p palette) paint(style string, accent rgb) string {
	for name, c := range map[string]rgb{
		"accent": accent, "accent-hover": accent.mix(p.away, p.hover),
		"on-accent": p.ink, "tint": p.card.mix(accent, p.tint),
	} {
		style = regexp.MustCompile(`--`+name+`: #[0-9a-f]{6}`).ReplaceAllString(style, "--"+name+": "+c.String())
	}
	return style
}
