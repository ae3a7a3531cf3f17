// Package cookie reads and writes cookies as the bytes they are.
//
// Go's own parser drops pairs that apps still read, and an edited header can
// be read in two ways. So the request side takes the raw Cookie lines apart at
// ';' and nowhere else, keeps every pair, invalid ones too, and builds one new
// line from the pairs that the caller allows:
//
//	var room [32]cookie.Pair
//	pairs, complete := cookie.Parse(room[:0], r.Header["Cookie"])
//	var line []byte
//	for _, p := range pairs {
//		switch {
//		case readable.Match(p.Name) && !credentials.FoldMatch(p.Name) && p.Safe():
//			line = cookie.AppendKept(line, p)
//		case opens(p):
//			line, _ = cookie.AppendValue(line, p.Name, value)
//		} // anything else is taken off
//	}
//
// The answer side reads Set-Cookie lines as browsers do (RFC 6265 section 5.2
// and its revision), writes them back with another value, and records their
// attributes in a compact form. A Jar gives own requests the cookies that the
// browser would send. StripQuery and StripPathParams take credentials out of
// addresses.
package cookie
