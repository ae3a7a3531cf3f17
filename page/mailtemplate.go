package page

import (
	"fmt"
	"html/template"
	"io/fs"
	"strings"
)

// mailTemplate parses the template of the mails' HTML in the operator's colours, if
// there are any. It has nothing of a template of the operator's.
func mailTemplate(light, dark *rgb) (*template.Template, error) {
	t, err := template.New("layout").Option("missingkey=error").ParseFS(files, "templates/layout.html")
	if err != nil {
		return nil, fmt.Errorf("page: layout: %w", err)
	}
	source, err := fs.ReadFile(files, "templates/"+string(pageMail)+".html")
	if err != nil {
		return nil, fmt.Errorf("page: template %s: %w", pageMail, err)
	}
	if t, err = t.Parse(recolourMail(string(source), light, dark)); err != nil {
		return nil, fmt.Errorf("page: template %s: %w", pageMail, err)
	}
	return t, nil
}

// recolourMail puts an operator's accents into the template of the mails. What stands
// in its style sheet is for dark mails alone: a mail program that knows none shows
// the colours of the elements.
func recolourMail(source string, light, dark *rgb) string {
	if light == nil {
		return source
	}
	night, day, _ := strings.Cut(source, "</style>")
	return darks.repaint(night, *dark) + "</style>" + lights.repaint(day, *light)
}

// repaint replaces our accent and our tint wherever they stand.
func (p palette) repaint(source string, accent rgb) string {
	return strings.NewReplacer(p.accent.String(), accent.String(), p.tinted.String(), p.card.mix(accent, p.tint).String()).Replace(source)
}
