package fields

import "strings"

// parsePart reads the header of a multipart part, without its last CRLFs.
func parsePart(header string) (*field, *Error) {
	f := &field{at: inPart}
	seen := map[string]bool{}
	for line := range strings.SplitSeq(header, "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		name = strings.ToLower(name)
		if !ok || !isToken(name) || hasControl(line) {
			return nil, brokenMultipart("a line of a part's header is none")
		}
		if seen[name] {
			return nil, brokenMultipart("a part has a header field twice")
		}
		seen[name] = true
		if err := f.partField(name, strings.Trim(value, " \t")); err != nil {
			return nil, err
		}
	}
	if !seen["content-disposition"] {
		return nil, brokenMultipart("a part has no Content-Disposition")
	}
	return f, nil
}

func (f *field) partField(name, value string) *Error {
	switch name {
	case "content-disposition":
		return f.disposition(value)
	case "content-transfer-encoding":
		switch strings.ToLower(value) {
		case "binary", "8bit", "7bit":
			return nil
		}
		return brokenMultipart("a part has a Content-Transfer-Encoding")
	case "content-encoding":
		return brokenMultipart("a part has a Content-Encoding")
	case "content-type":
		return f.partType(value)
	}
	return nil
}

func (f *field) partType(value string) *Error {
	media, params, ok := parseType(value)
	if strings.HasPrefix(strings.ToLower(value), "multipart/") || strings.HasPrefix(strings.ToLower(value), "message/") {
		return brokenMultipart("a part has parts")
	}
	if !ok || media == "" {
		f.odd = true
		return nil
	}
	for _, p := range params {
		if p[0] == "charset" {
			f.charset = charsetOf(p[1])
		}
	}
	return nil
}

// disposition reads form-data; name="…" with or without a file name.
func (f *field) disposition(value string) *Error {
	kind, rest, _ := strings.Cut(value, ";")
	if !strings.EqualFold(strings.Trim(kind, " \t"), "form-data") {
		return brokenMultipart("a part is not form-data")
	}
	seen := map[string]bool{}
	for rest = strings.TrimLeft(rest, " \t"); rest != ""; rest = strings.TrimLeft(rest, " \t") {
		key, after, ok := strings.Cut(rest, "=")
		key = strings.ToLower(key)
		if !ok || seen[key] {
			return brokenMultipart("a part has a parameter twice")
		}
		seen[key] = true
		var err *Error
		switch key {
		case "name":
			f.name, rest, err = quoted(after)
			if strings.ContainsRune(f.name, '\\') {
				return brokenMultipart("the name of a part has a backslash")
			}
		case "filename":
			f.file = true
			_, rest, err = quoted(after)
		case "filename*":
			// PHP does not know it and reads a field; others read a file.
			f.odd = true
			var text string
			if text, rest, _ = cutBefore(after, ";"); !isToken(strings.Trim(text, " \t")) {
				err = brokenMultipart("the file name of a part is none")
			}
		default:
			err = brokenMultipart("a part has a parameter that apps read in different ways")
		}
		if err != nil {
			return err
		}
		if rest = strings.TrimLeft(rest, " \t"); rest == "" {
			break
		}
		if rest, ok = strings.CutPrefix(rest, ";"); !ok {
			return brokenMultipart("something stands behind a quoted name")
		}
	}
	if !seen["name"] {
		return brokenMultipart("a part has no name")
	}
	return nil
}

// cutBefore cuts s before the first occurrence of at.
func cutBefore(s, at string) (before, rest string, found bool) {
	i := strings.Index(s, at)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i:], true
}

// quoted reads a quoted value. A backslash before a quote is one that hides it
// to some parsers and not to others; what looks like a further name is one to
// those that search the line for it.
func quoted(s string) (value, rest string, err *Error) {
	s, ok := strings.CutPrefix(s, `"`)
	if !ok {
		return "", "", brokenMultipart("the name of a part is not quoted")
	}
	if value, rest, ok = strings.Cut(s, `"`); !ok {
		return "", "", brokenMultipart("the name of a part is not closed")
	}
	if strings.HasSuffix(value, `\`) {
		return "", "", brokenMultipart("a quote in the name of a part is escaped")
	}
	if strings.Contains(strings.ToLower(strings.ReplaceAll(value, " ", "")), "name=") {
		return "", "", brokenMultipart("a name stands within the name of a part")
	}
	return value, rest, nil
}

func hasControl(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}
