package fields

import "errors"

// The reasons of an Error.
const (
	reasonTwice       = "twice"
	reasonAmbiguous   = "ambiguous"
	reasonMissing     = "missing"
	reasonCharset     = "charset"
	reasonContentType = "content_type"
	reasonForm        = "form"
	reasonMultipart   = "multipart"
	reasonJSON        = "json"
)

// Error says why a login cannot be read for certain.
type Error struct {
	// Reason is one of "twice", "ambiguous", "missing", "charset",
	// "content_type", "form", "multipart" and "json".
	Reason string
	// Detail is a sentence for the operator's log. It holds nothing of what the
	// client sent.
	Detail string
}

// Error returns the detail with its reason.
func (e *Error) Error() string { return e.Detail + " (" + e.Reason + ")" }

// ErrMet is what reading a watched body fails with once both fields of a login
// were met in it, or a field that Strip would have to remove.
var ErrMet = errors.New("a field that may not pass stands in a body too long to be read before it is forwarded")

func fault(reason, detail string) *Error { return &Error{Reason: reason, Detail: detail} }
