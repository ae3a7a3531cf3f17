package fields

// head tells from the first bytes of a body what an app that does not ask for
// its Content-Type could take it for. An app that reads its raw input as JSON
// does so whatever the header says.
type head struct {
	first   [2]byte
	n       int
	decided bool
	json    bool // an object or an array, or a comment before one
	parts   bool // a delimiter
}

// feed looks at more of the body.
func (h *head) feed(chunk []byte, last bool) {
	for _, c := range chunk {
		if h.decided {
			return
		}
		if h.n == 0 && isLeading(c) {
			continue
		}
		h.first[h.n] = c
		h.n++
		h.decide()
	}
	h.decided = h.decided || last
}

func (h *head) decide() {
	a, b := h.first[0], h.first[1]
	switch {
	case a == '{' || a == '[':
		h.json, h.decided = true, true
	case a != '/' && a != '-':
		h.decided = true
	case h.n == 2:
		h.json = a == '/' && (b == '/' || b == '*')
		h.parts = a == '-' && b == '-'
		h.decided = true
	}
}

// isLeading says whether some parser skips c before a value: white space, the
// bytes of a byte order mark in any of UTF's forms, NULs.
func isLeading(c byte) bool {
	switch c {
	case ' ', '\t', '\n', '\r', '\v', '\f', 0, 0xef, 0xbb, 0xbf, 0xfe, 0xff:
		return true
	}
	return false
}
