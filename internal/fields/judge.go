package fields

// finder is what a judge looks for.
type finder interface {
	sink
	// spot searches bytes that cannot be read for certain.
	spot(chunk []byte, last bool)
	// all says that whatever is looked for may stand in the body.
	all()
	// found says whether it was found; with broken, what was spotted counts.
	found(broken bool) bool
}

// judge reads a body of any kind, chunk by chunk, in bounded memory, and says
// whether a finder's fields may stand in it.
type judge struct {
	media  media
	find   finder
	scan   scanner
	parts  *multipartScanner
	head   head
	broken bool
	begun  bool
}

func newJudge(m media, f finder, depth int) *judge {
	j := &judge{media: m, find: f}
	switch m.kind {
	case kindForm, kindUnknown:
		j.scan = newFormScanner(f, inForm)
		j.broken = m.doubtful
	case kindJSON:
		j.scan = newJSONScanner(f, depth)
	case kindMultipart:
		if j.broken = m.boundary == "" || m.doubtful; !j.broken {
			j.parts = newMultipartScanner(f, m.boundary)
			j.scan = j.parts
		}
	}
	return j
}

// feed reads on; after the last bytes it must be called with last.
func (j *judge) feed(chunk []byte, last bool) {
	if len(chunk) > 0 && !j.begun {
		j.begun = true
		if j.media.hidden {
			j.find.all()
		}
	}
	j.head.feed(chunk, last)
	switch j.media.kind {
	case kindMultipart:
		j.multipart(chunk, last)
		return
	case kindJSON:
		// Spotted from the first byte on: where it turns out to be broken, the
		// names may stand before that.
		j.find.spot(chunk, last)
	case kindForm, kindOpaque:
		j.guess(chunk, last, j.head.json)
	case kindUnknown:
		j.guess(chunk, last, j.head.json || j.head.parts)
	}
	j.advance(chunk, last)
}

// guess spots the bytes of a body that looks like something else than it says.
// Nothing is missed before the look is certain: until then there was nothing
// but white space.
func (j *judge) guess(chunk []byte, last, looks bool) {
	if looks {
		j.broken = true
	}
	if j.broken {
		j.find.spot(chunk, last)
	}
}

func (j *judge) advance(chunk []byte, last bool) *Error {
	if j.scan == nil {
		return nil
	}
	err := j.scan.scan(chunk)
	if err == nil && last {
		err = j.scan.end()
	}
	if err != nil {
		j.broken = true
		j.scan = nil
	}
	return err
}

// multipart reads a part of a multipart body; once it is broken, what was not
// judged and all that follows is spotted.
func (j *judge) multipart(chunk []byte, last bool) {
	if j.scan == nil {
		j.find.spot(chunk, last)
		return
	}
	if err := j.advance(chunk, last); err != nil {
		j.find.spot(j.parts.held, last)
		j.parts = nil
	}
}

func (j *judge) found() bool { return j.find.found(j.broken) }

// loginFinder looks for both fields of a login.
type loginFinder struct {
	*collector
	spots *spotter
	met   []bool
}

func newLoginFinder(c *collector) *loginFinder {
	f := &loginFinder{collector: c, spots: newSpotter(c.wanted), met: make([]bool, len(c.wanted))}
	for i := range f.met {
		f.met[i] = c.seen(i)
	}
	return f
}

func (f *loginFinder) name(x *field) bool {
	if f.guessing && x.bare {
		return false
	}
	for i, w := range f.wanted {
		if r := w.relate(x); r == same || r == inside {
			f.met[i] = true
		}
	}
	return isCharsetField(x)
}

func (f *loginFinder) value(x *field) {
	if isCharsetField(x) && charsetOf(unescape(string(x.value), false)) == charsetHiding {
		f.all()
	}
}

func (f *loginFinder) spot(chunk []byte, last bool) { f.spots.feed(chunk, last) }

func (f *loginFinder) all() {
	for i := range f.met {
		f.met[i] = true
	}
}

func (f *loginFinder) found(broken bool) bool {
	for i, met := range f.met {
		if !met && (!broken || !f.spots.saw(i)) {
			return false
		}
	}
	return true
}

// idle says that nothing more of the body needs to be judged: it is of a type
// in which no app looks for fields, and does not look like JSON.
func (j *judge) idle() bool {
	return j.media.kind == kindOpaque && !j.media.hidden && j.head.decided && !j.head.json
}
