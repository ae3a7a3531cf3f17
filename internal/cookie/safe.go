package cookie

// Safe says whether a pair that was not opened from a seal, a readable cookie
// thus, can stand in a header without any known parser reading a second cookie
// in it or losing the next one: SafeName and SafeValue of its parts.
func (p Pair) Safe() bool { return SafeName(p.Name) && SafeValue(p.Value) }

// SafeName says whether name is a token of RFC 6265, in which brackets are
// allowed too. A name with a comma or a blank ("pref,sid") is a second cookie
// to some parsers, one that begins with '$' an attribute of the cookie before
// it to those that follow RFC 2109.
func SafeName(name string) bool {
	return name != "" && name[0] != '$' && isName(name)
}

// SafeValue says whether a readable cookie's value is read as nothing but a
// value. It is not if
//
//   - after a comma (old Rack, RFC 2109, Tomcat's legacy parser, CGI.pm) or
//     white space (Python's http.cookies) a token followed by '=' begins: that
//     is a second cookie;
//   - it begins with a double quote and is not one whole quoted string: Python's
//     http.cookies, Tomcat and Jetty read on to the next quote, through ';', and
//     so swallow the cookies behind it;
//   - it holds a control character or a ';'.
//
// JSON as scripts write it passes: what follows its commas is a quote.
func SafeValue(value string) bool {
	if !closesItsQuote(value) {
		return false
	}
	for i := 0; i < len(value); i++ {
		c := value[i]
		if c == ';' || isControl(c) {
			return false
		}
		if splits(c) && beginsPair(value[i+1:]) {
			return false
		}
	}
	return true
}

// splits says whether some parser begins a new cookie after c. The bytes 0x85
// and 0xA0 are white space in Latin-1.
func splits(c byte) bool {
	return c == ',' || c == ' ' || c == '\t' || c == 0x85 || c == 0xa0
}

// beginsPair says whether s begins with a token and '=', blanks between them
// included. Separators before the token need no look: each is asked by itself.
func beginsPair(s string) bool {
	n := 0
	for n < len(s) && isNameByte(s[n]) {
		n++
	}
	if n == 0 {
		return false
	}
	for n < len(s) && (isBlank(s[n]) || s[n] == 0x85 || s[n] == 0xa0) {
		n++
	}
	return n < len(s) && s[n] == '='
}

func closesItsQuote(value string) bool {
	value = trim(value)
	if value == "" || value[0] != '"' {
		return true
	}
	for i := 1; i < len(value); i++ {
		switch value[i] {
		case '\\':
			i++
		case '"':
			return i == len(value)-1
		}
	}
	return false
}

func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isNameByte(s[i]) {
			return false
		}
	}
	return s != ""
}

// isNameByte says whether c may stand in a token (RFC 9110 section 5.6.2) or is
// a bracket, which PHP's arrays put into names.
func isNameByte(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	switch c {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~', '[', ']':
		return true
	}
	return false
}
