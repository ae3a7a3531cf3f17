package fields

import "net/http"

// Form reads one field of a form, urlencoded or multipart, that must be there
// exactly once, query and body together, and stand in the body. It returns an
// *Error otherwise, with the reason "missing" if it is not there at all, and an
// *http.MaxBytesError for a body that is not Whole.
func Form(r *http.Request, b *Body, name string) (string, error) {
	return one(r, b, name, kindForm, kindMultipart)
}

// JSON reads one value of a JSON body, named by a dotted path of keys and
// indexes, under the conditions of Form.
func JSON(r *http.Request, b *Body, path string) (string, error) {
	return one(r, b, path, kindJSON, kindJSON)
}

// Query reads one field of the query, which must stand there exactly once.
func Query(r *http.Request, name string) (string, error) {
	c := newCollector(name)
	readQuery(r, c)
	return c.userName(nil)
}

func one(r *http.Request, b *Body, name string, kinds ...kind) (string, error) {
	if !b.whole {
		return "", &http.MaxBytesError{Limit: b.limit}
	}
	c := newCollector(name)
	if b.Empty() {
		return c.userName(b)
	}
	if doubt := b.read(c); doubt != nil {
		return "", doubt.why
	}
	if b.media.kind != kinds[0] && b.media.kind != kinds[1] {
		return "", fault(reasonContentType, "the body is not of the type that this login has")
	}
	if !c.seen(0) {
		return c.userName(b)
	}
	readQuery(r, c)
	return c.userName(b)
}

// MayName reports whether an app that does not ask what a body says it is may
// find the field in it: as a form's or as JSON's where there is no type or an
// unknown one, as JSON's where what looks like JSON is said to be something
// else. Beyond the cap a body of no known type may hold anything.
func (b *Body) MayName(name string) bool {
	if b.media.kind == kindUnknown && !b.whole {
		return true
	}
	c := newCollector(name)
	return b.read(c).maybe(0) || b.media.kind == kindUnknown && c.seen(0)
}
