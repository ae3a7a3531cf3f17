package page

import (
	"fmt"
	"html/template"
)

// Hidden is one hidden field of a form.
type Hidden struct{ Name, Value string }

// Post is a form that is sent by a button. A nil *Post means: no such button.
type Post struct {
	// Action is the address that it posts to, a raw path of this origin; see
	// ErrAddress for those that cannot be written.
	Action string
	// Fields are sent back as they are given.
	Fields []Hidden
}

// postView is what a template needs of a Post.
type postView struct {
	Action template.HTMLAttr
	Fields []Hidden
}

// post returns the form to be written; nil for nil. Its address is required.
func (t *target) post(field string, p *Post) *postView {
	if p == nil {
		return nil
	}
	if p.Action == "" && t.err == nil {
		t.err = fmt.Errorf("page: %s: %w: it is empty", field, ErrAddress)
	}
	return &postView{Action: t.local("action", field, p.Action), Fields: p.Fields}
}
