package page

import (
	"errors"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
)

// Template is an operator's own template, in place of one of ours. It is one of
// html/template, which escapes what it is filled with.
type Template struct {
	// Name is that of the template that it replaces: one of TemplateNames.
	Name string
	// File is where it comes from; errors name it with their line.
	File string
	// Source is what stands in the file.
	Source string
}

// nameLayout is the template around every page.
const nameLayout pageName = "layout"

// TemplateNames returns the names of the templates that can be replaced.
func TemplateNames() []string {
	var names []string
	for _, n := range append([]pageName{nameLayout}, slices.Sorted(maps.Keys(sheetOf))...) {
		if n == nameLayout || len(samples[n]) > 0 {
			names = append(names, string(n))
		}
	}
	return names
}

// parseTemplates makes the templates of the pages, and tries the operator's own
// against ours: they must have every form, field and link that ours have.
func (s *Set) parseTemplates(own []Template) error {
	ours, err := parsePages(nil)
	if err != nil {
		return err
	}
	s.pages = ours
	if len(own) == 0 {
		return nil
	}
	byName := map[pageName]Template{}
	for _, t := range own {
		name := pageName(t.Name)
		if !slices.Contains(TemplateNames(), t.Name) {
			return fmt.Errorf("page: template %s: there is none of this name, but %s", t.Name, strings.Join(TemplateNames(), ", "))
		}
		if _, ok := byName[name]; ok {
			return fmt.Errorf("page: template %s: there twice", t.Name)
		}
		byName[name] = t
	}
	theirs, err := parsePages(byName)
	if err != nil {
		return err
	}
	return s.tryTemplates(byName, theirs)
}

// tryTemplates takes the operator's templates if their pages lack nothing.
func (s *Set) tryTemplates(own map[pageName]Template, pages map[pageName]*template.Template) error {
	before := *s
	s.pages = pages
	for _, name := range slices.Sorted(maps.Keys(samples)) {
		file := own[name].File
		if layout, ok := own[nameLayout]; ok && file == "" {
			file = layout.File
		}
		if file == "" {
			continue
		}
		for _, sample := range samples[name] {
			wanted, err := sample(&before)
			if err != nil {
				return err
			}
			got, err := sample(s)
			if err != nil {
				return fmt.Errorf("page: template %s: %w", file, errors.Unwrap(err))
			}
			if err := comparePages(wanted, got); err != nil {
				return fmt.Errorf("page: template %s: a page of %s made with it %w", file, name, err)
			}
		}
	}
	return nil
}

// parsePages parses our templates, or an operator's in their place. An own one
// is parsed after ours, so that what it does not define stays ours.
func parsePages(own map[pageName]Template) (map[pageName]*template.Template, error) {
	base, err := template.New("layout").Option("missingkey=error").ParseFS(files, "templates/layout.html")
	if err != nil {
		return nil, fmt.Errorf("page: layout: %w", err)
	}
	if err := parseOwn(base, own, nameLayout, "layout"); err != nil {
		return nil, err
	}
	pages := map[pageName]*template.Template{}
	for name := range sheetOf {
		t, err := base.Clone()
		if err != nil {
			return nil, fmt.Errorf("page: layout: %w", err)
		}
		if t, err = t.ParseFS(files, "templates/"+string(name)+".html"); err != nil {
			return nil, fmt.Errorf("page: template %s: %w", name, err)
		}
		if err := parseOwn(t, own, name, "content"); err != nil {
			return nil, err
		}
		pages[name] = t
	}
	return pages, nil
}

// parseOwn parses the operator's template of a name, if there is one, which must
// define what ours does.
func parseOwn(into *template.Template, own map[pageName]Template, name pageName, defines string) error {
	t, ok := own[name]
	if !ok {
		return nil
	}
	fresh, err := template.New(t.File).Parse(t.Source)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	if fresh.Lookup(defines) == nil {
		return fmt.Errorf("page: template %s: it must stand in {{define %q}}…{{end}}", t.File, defines)
	}
	if _, err := into.New(t.File).Parse(t.Source); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}
