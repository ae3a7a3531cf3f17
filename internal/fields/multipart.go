package fields

import (
	"bytes"
	"strings"
)

// maxPartHeader is the longest header of a part, in bytes.
const maxPartHeader = 8 << 10

// partState is where in a multipart body the scanner stands.
type partState int

const (
	atStart partState = iota
	atDelimiterEnd
	atHeader
	atData
	atEpilogue
)

// multipartScanner reads a multipart body in the one form that every parser
// reads alike: it begins with a delimiter, lines end in CRLF, the delimiter
// stands nowhere but between parts, each part says with one Content-Disposition
// that it is form-data and with one quoted name which, and after the closing
// delimiter comes nothing. Everything else is an error.
type multipartScanner struct {
	to        sink
	delimiter []byte // "--" and the boundary

	state partState
	held  []byte // what is not judged yet; after an error, from where it was
	f     field
	want  bool
	value []byte
}

func newMultipartScanner(to sink, boundary string) *multipartScanner {
	return &multipartScanner{to: to, delimiter: []byte("--" + boundary)}
}

func brokenMultipart(why string) *Error {
	return fault(reasonMultipart, "the body is no multipart form that all apps read alike: "+why)
}

func (s *multipartScanner) scan(chunk []byte) *Error {
	s.held = append(s.held, chunk...)
	for {
		n, more, err := s.step(s.held)
		if err != nil {
			return err
		}
		s.held = s.held[:copy(s.held, s.held[n:])]
		if !more {
			return nil
		}
	}
}

// step judges what it can at the begin of text, and returns how many bytes that
// were and whether there is sense in a further step.
func (s *multipartScanner) step(text []byte) (n int, more bool, err *Error) {
	switch s.state {
	case atStart:
		if len(text) < len(s.delimiter) {
			return 0, false, nil
		}
		if !bytes.HasPrefix(text, s.delimiter) {
			return 0, false, brokenMultipart("it does not begin with its delimiter")
		}
		s.state = atDelimiterEnd
		return len(s.delimiter), true, nil
	case atDelimiterEnd:
		return s.delimiterEnd(text)
	case atHeader:
		return s.header(text)
	case atData:
		return s.data(text)
	default:
		if len(text) > 2 || !strings.HasPrefix("\r\n", string(text)) {
			return 0, false, brokenMultipart("something stands after its closing delimiter")
		}
		return 0, false, nil
	}
}

func (s *multipartScanner) delimiterEnd(text []byte) (int, bool, *Error) {
	if len(text) < 2 {
		return 0, false, nil
	}
	switch string(text[:2]) {
	case "\r\n":
		s.state = atHeader
	case "--":
		s.state = atEpilogue
	default:
		return 0, false, brokenMultipart("something stands behind a delimiter")
	}
	return 2, true, nil
}

func (s *multipartScanner) header(text []byte) (int, bool, *Error) {
	end := bytes.Index(text, []byte("\r\n\r\n"))
	if end > maxPartHeader || end < 0 && len(text) > maxPartHeader {
		return 0, false, brokenMultipart("the header of a part is too long")
	}
	if end < 0 {
		return 0, false, nil
	}
	if bytes.Contains(text[:end], s.delimiter) {
		return 0, false, brokenMultipart("a delimiter stands in the header of a part")
	}
	f, err := parsePart(string(text[:end]))
	if err != nil {
		return 0, false, err
	}
	s.f, s.value = *f, s.value[:0]
	s.want = s.to.name(&s.f)
	s.state = atData
	return end + 4, true, nil
}

func (s *multipartScanner) data(text []byte) (int, bool, *Error) {
	at := bytes.Index(text, s.delimiter)
	if at < 0 {
		// Kept: a delimiter that is not whole, and the CRLF before it.
		n := max(0, len(text)-len(s.delimiter)-1)
		s.keep(text[:n])
		return n, false, nil
	}
	if at < 2 || text[at-2] != '\r' || text[at-1] != '\n' {
		return 0, false, brokenMultipart("a delimiter stands within a line")
	}
	s.keep(text[:at-2])
	if s.want {
		s.f.value = s.value
		s.to.value(&s.f)
	}
	s.state = atDelimiterEnd
	return at + len(s.delimiter), true, nil
}

func (s *multipartScanner) keep(text []byte) {
	if !s.want {
		return
	}
	room := min(len(text), maxValue-len(s.value))
	s.value = append(s.value, text[:room]...)
	s.f.cut = s.f.cut || room < len(text)
}

func (s *multipartScanner) end() *Error {
	if s.state != atEpilogue || len(s.held) == 1 {
		return brokenMultipart("its closing delimiter is missing")
	}
	return nil
}
