package fields

// doubt is why a body cannot be read for certain, and which of the fields
// wanted it may carry besides those that were met.
type doubt struct {
	why   *Error
	carry func(i int) bool
}

func (d *doubt) maybe(i int) bool { return d != nil && d.carry != nil && d.carry(i) }

func every(int) bool { return true }

// read reads a whole body into c. It returns nil if that is certain.
func (b *Body) read(c *collector) *doubt {
	if len(b.raw) == 0 {
		return nil
	}
	m := b.media
	if m.hidden {
		return &doubt{m.fault, every}
	}
	var h head
	h.feed(b.raw, true)
	switch m.kind {
	case kindMultipart:
		if m.doubtful {
			return &doubt{m.fault, b.spot(c)}
		}
		if err := run(newMultipartScanner(c, m.boundary), b.raw); err != nil {
			return &doubt{err, b.spot(c)}
		}
	case kindJSON:
		if err := run(newJSONScanner(c, c.depth()), b.raw); err != nil {
			return &doubt{err, b.spot(c)}
		}
	case kindForm:
		_ = run(newFormScanner(c, inForm), b.raw)
		if h.json {
			return &doubt{fault(reasonContentType, "the body is said to be a form and looks like JSON"), b.spot(c)}
		}
	case kindOpaque:
		if h.json {
			return &doubt{fault(reasonContentType, "the Content-Type is none that a login has, and the body looks like JSON"), b.spot(c)}
		}
	default:
		return b.guess(c, &h)
	}
	switch {
	case c.charset == charsetHiding:
		return &doubt{fault(reasonCharset, "the field _charset_ does not name UTF-8"), every}
	case c.charset == charsetOther:
		return &doubt{why: fault(reasonCharset, "the field _charset_ does not name UTF-8")}
	case m.fault != nil:
		return &doubt{why: m.fault}
	}
	return nil
}

// guess reads a body of which nobody knows what it is, in every way.
func (b *Body) guess(c *collector, h *head) *doubt {
	c.guessing = true
	_ = run(newFormScanner(c, inForm), b.raw)
	d := &doubt{why: b.media.fault}
	if c.charset == charsetHiding {
		d.carry = every
	} else if h.json || h.parts || b.media.doubtful {
		d.carry = b.spot(c)
	}
	return d
}

// spot searches the raw body.
func (b *Body) spot(c *collector) func(i int) bool {
	s := newSpotter(c.wanted)
	s.feed(b.raw, true)
	return s.saw
}

func run(s scanner, raw []byte) *Error {
	if err := s.scan(raw); err != nil {
		return err
	}
	return s.end()
}
