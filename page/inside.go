package page

import "html/template"

// insideView is what the pages have in common on which people look after their own
// second factor.
type insideView struct {
	frameView
	Heading []part
	Who     []part
	Alert   *alertView
	Status  []part
	Back    template.HTMLAttr
	// BackText is what the link says; empty: "Back".
	BackText []part
	NotNow   *postView
	Cancel   *postView
}

// inputView is one field of a form.
type inputView struct {
	ID, Name, Value string
	Label, Hint     []part
	// Class, Mode, Complete and Capitals are the attributes class, inputmode,
	// autocomplete and autocapitalize.
	Class, Mode, Complete, Capitals string
	// Type is text or tel, Dir the direction of what is typed.
	Type, Dir string
	Max       int
	// Focus puts the cursor there, Invalid says that the error summary is about it.
	Focus, Invalid, Optional bool
}

// codeInput is the field for a code.
func codeInput(label, hint []part, invalid bool) inputView {
	return inputView{
		ID: "code", Name: FieldCode, Label: label, Hint: hint, Class: "code", Type: "text", Dir: "ltr",
		Mode: "numeric", Complete: "one-time-code", Capitals: "off",
		Max: maxCode, Focus: true, Invalid: invalid,
	}
}

// wordInput makes it a field for a code of letters and digits.
func (v inputView) words() inputView {
	v.Class, v.Mode, v.Complete, v.Capitals = "code words", "text", "off", "characters"
	return v
}

// maxRow is the number of characters of a given string that a row of a list shows, and
// a sentence that names more than one.
const maxRow = 60

// brief is given for a place with little room.
func brief(name, value string) arg { return given(name, tidyTo(value, maxRow)) }

// inside is the speaker of these pages: who looks after a second factor is told
// what is told in a step-up, since most are signed in.
func (s *Set) inside(l Lang) *speaker { return s.speak(l).inStepUp(&StepUp{}) }

// renderInside renders such a page; view is what v is embedded in.
func (s *Set) renderInside(name pageName, sp *speaker, to *target, host string, v *insideView, view any) ([]byte, error) {
	title := v.Heading
	if v.Alert != nil {
		title = v.Alert.Title
	}
	v.frameView = s.frame(sp, host, sp.join(title), v.Alert != nil)
	v.Style = s.styles[sheetOf[name]]
	if to.err != nil {
		return nil, to.err
	}
	return s.render(name, sp, view)
}
