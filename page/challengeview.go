package page

import "html/template"

// challengeView is what the template of the challenge page is filled with.
type challengeView struct {
	frameView
	Heading []part
	Who     []part
	Alert   *alertView
	// Copied tells of a copy of what the browser was remembered by.
	Copied    *alertView
	Status    []part
	Field     *fieldView
	Send      *sendView
	Note      [][]part
	Warning   []part
	Other     template.HTMLAttr
	Lost      template.HTMLAttr
	LostText  []part
	OtherMain bool
	Cancel    template.HTMLAttr
	// Stopped says that cancelling is all that is left to do.
	Stopped bool
	Hidden  hiddenView
}

// alertView is the error summary.
type alertView struct {
	Title   []part
	Lines   [][]part
	ToField bool
	// At is the id of the field that it leads to; empty: that of the code.
	At string
}

// fieldView is the code form.
type fieldView struct {
	Action template.HTMLAttr
	Input  inputView
	// File says what becomes of the page where the answer is a file; Back leads
	// away from it.
	File   []part
	Back   template.HTMLAttr
	Hidden hiddenView
	// Remember is nil where the browser cannot be remembered.
	Remember *rememberView
}

// rememberView is the box to be ticked.
type rememberView struct {
	Label, Hint []part
	Ticked      bool
}

// sendView is the form that asks for a text.
type sendView struct {
	Action template.HTMLAttr
	Text   []part
	Label  []part
	Hint   []part
	Main   bool
	Hidden hiddenView
	// WithField is where the button sends the code form to, so that what is
	// ticked there is not lost; empty where there is no box, and the button has a
	// form of its own. Ticked says that the box was ticked before.
	WithField template.HTMLAttr
	Ticked    bool
}

// hiddenView is the hidden fields of every form.
type hiddenView struct{ Challenge, Token, Factor string }
