package fields

// maxValue is how much of a field's value is kept, in bytes as written; a
// user name takes at most 256, and nine bytes for one of them in %u escapes.
const maxValue = 4 << 10

// place is where a field stands.
type place int

const (
	inQuery place = iota
	inForm
	inPart
	inJSON
)

// field is one field as a scanner met it.
type field struct {
	at place
	// name is as written: percent-encoded in a query and a form.
	name string
	// path are the keys of a JSON value, the outermost first.
	path []string
	// value is as written, decoded only in JSON, cut at maxValue.
	value []byte
	// cut says that value is not the whole value.
	cut bool
	// bare says that the name stands without a '='.
	bare bool
	// split says that apps which split at ';' and apps which do not disagree on
	// whether there is such a field, torn that they disagree on its value.
	split, torn bool
	// file says that the part has a file name, odd that some app would not read
	// a plain field in it.
	file, odd bool
	// charset is what the part says of its value.
	charset charset
	// notText says that the JSON value is no string; value is then the number or
	// word as it is written, nil for an object or an array.
	notText bool
}

// sink is told of fields as they are met.
type sink interface {
	// name is told of a field as soon as its name stands, and says whether its
	// value is wanted.
	name(f *field) bool
	// value is told of a field whose value was wanted, once it is whole.
	value(f *field)
}

// scanner reads the fields of a body of one kind, chunk by chunk. It keeps
// nothing that grows with the body.
type scanner interface {
	// scan reads on. After the first error there is no sense in going on.
	scan(chunk []byte) *Error
	// end says that the body has ended.
	end() *Error
}
