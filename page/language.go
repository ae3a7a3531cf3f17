package page

import (
	"errors"
	"fmt"

	"golang.org/x/text/language"
)

// Lang names one catalogue by its BCP 47 tag. The zero value, and a tag without
// a catalogue, stand for English.
type Lang string

// maxAcceptLanguage is the number of bytes of an Accept-Language header that
// are worth reading; browsers send fewer than 100.
const maxAcceptLanguage = 512

// Language chooses the catalogue that serves a reader best by the value of
// Accept-Language [RFC 9110, section 12.5.4]. A header that is missing,
// malformed or longer than 512 bytes means English.
func (s *Set) Language(acceptLanguage string) Lang {
	if acceptLanguage == "" || len(acceptLanguage) > maxAcceptLanguage {
		return s.order[0]
	}
	wanted, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil || len(wanted) == 0 {
		return s.order[0]
	}
	_, index, confidence := s.matcher.Match(wanted...)
	if confidence == language.No {
		return s.order[0]
	}
	return s.order[index]
}

// addCatalogues checks the catalogues against the first and makes them
// available.
func (s *Set) addCatalogues(catalogues []*catalogue) error {
	if len(catalogues) == 0 {
		return errors.New("page: no catalogue")
	}
	var errs []error
	tags := make([]language.Tag, 0, len(catalogues))
	for _, c := range catalogues {
		if err := c.check(catalogues[0]); err != nil {
			errs = append(errs, fmt.Errorf("page: catalogue %s: %w", c.tag, err))
			continue
		}
		lang := Lang(c.tag.String())
		if s.catalogues[lang] != nil {
			errs = append(errs, fmt.Errorf("page: catalogue %s: there twice", c.tag))
			continue
		}
		s.catalogues[lang] = c
		s.order = append(s.order, lang)
		tags = append(tags, c.tag)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	s.matcher = language.NewMatcher(tags)
	return nil
}

// speak returns a speaker of the given language, or of English.
func (s *Set) speak(l Lang) *speaker {
	c, ok := s.catalogues[l]
	if !ok {
		c = s.catalogues[s.order[0]]
	}
	return &speaker{c: c}
}
