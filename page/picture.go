package page

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/draw"
	"image/png"

	"github.com/boombuler/barcode/qr"
)

// quietZone is the number of light modules around a QR code [ISO/IEC 18004].
const quietZone = 4

// picture makes the QR code of an otpauth address: the attribute with the address of
// a PNG that stands in the page itself (RFC 2397), one pixel for each module. As a
// drawing in SVG it would take eight times as much. Its error correction is the
// lowest: a screen has no dirt, and large modules are what a camera needs.
func picture(uri string) (template.HTMLAttr, error) {
	if len(uri) > MaxOTPAuth {
		return "", fmt.Errorf("page: picture: an address of %d bytes, at most %d fit: shorten the issuer or the account", len(uri), MaxOTPAuth)
	}
	code, err := qr.Encode(uri, qr.L, qr.Auto)
	if err != nil {
		return "", fmt.Errorf("page: picture: %w", err)
	}
	side := code.Bounds().Dx() + 2*quietZone
	drawn := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	draw.Draw(drawn, code.Bounds().Add(image.Pt(quietZone, quietZone)), code, code.Bounds().Min, draw.Src)
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, drawn); err != nil {
		return "", fmt.Errorf("page: picture: %w", err)
	}
	return attribute("src", "data:image/png;base64,"+base64.StdEncoding.EncodeToString(b.Bytes())), nil
}
