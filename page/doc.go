// Package page holds every page that the gateway itself shows, and the problem
// documents that scripts get instead.
//
// The pages are self-contained: one inline style sheet whose SHA-256 stands in
// the Content-Security-Policy (style.css, and the sheet of that kind of page), no
// script, nothing fetched: an operator's logo and the QR code of an authenticator
// are images that stand in the page itself. They work from 320 CSS pixels on, in
// light and dark, from left to right and from right to left. What a caller gives
// (user names, hosts, labels, addresses) is text and is escaped; no HTML is ever
// taken from it.
//
// A [Set] is made once with [New] and is safe for concurrent use. Each page has
// a typed method that returns the finished bytes, or an error and no bytes, so
// an error never leaves half a page. [Set.Write] sends them with the headers of
// a page of our own, [Set.WriteInside] those of the settings.
//
// The words stand in one catalogue per language, texts/<language>.json. The
// package knows nothing of the rest of the gateway and nothing of Caddy.
package page
