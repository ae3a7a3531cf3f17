package sms

import "strings"

// How much one segment of a text holds (3GPP TS 23.038 and 23.040): alone, and
// as a part of several, where each part gives up some room to say so.
const (
	segmentSeptets = 160
	partSeptets    = 153
	segmentUnits   = 70
	partUnits      = 67
)

// gsmBasic are the characters of the GSM 7-bit default alphabet, one septet
// each; gsmExtended are those of its extension table, two septets each
// (3GPP TS 23.038, 6.2.1).
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ" +
		" !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§" +
		"¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtended = "\f^{}\\[~]|€"
)

// Septets returns how many septets the text takes in the GSM 7-bit alphabet,
// and false if it has a character that is not in it: then all of it is sent in
// 16-bit units, of which a segment holds 70 instead of 160.
func Septets(text string) (int, bool) {
	n := 0
	for _, r := range text {
		switch {
		case strings.ContainsRune(gsmBasic, r):
			n++
		case strings.ContainsRune(gsmExtended, r):
			n += 2
		default:
			return 0, false
		}
	}
	return n, true
}

// Segments returns how many segments a text is sent in, which is what it
// costs. Where a text of several segments has a character of two septets at the
// end of a part, it may need one more than this says.
func Segments(text string) int {
	if n, ok := Septets(text); ok {
		return parts(n, segmentSeptets, partSeptets)
	}
	units := 0
	for _, r := range text {
		units++
		if r > 0xffff {
			units++
		}
	}
	return parts(units, segmentUnits, partUnits)
}

func parts(n, alone, each int) int {
	if n <= alone {
		return 1
	}
	return (n + each - 1) / each
}
