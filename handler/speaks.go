package handler

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
	"github.com/caddy-twofactor/caddy-twofactor/internal/fields"
)

// Where an app keeps several users in one session, a request says for whom it
// speaks, and a session counts only for requests that speak for its own user.

// heed sees to it that the browser's session is used only if the request speaks
// for its user, in every place where it says so. A request that names nobody,
// or that cannot be read for certain, speaks for nobody; the login page alone
// is asked for in nobody's name.
func (v *visit) heed() error {
	if len(v.g.SpeaksFor) == 0 || !v.verified() || v.isLoginPage() && (v.r.Method == http.MethodGet || v.r.Method == http.MethodHead) {
		return nil
	}
	named := 0
	for i := range v.g.SpeaksFor {
		names, here, err := v.names(&v.g.SpeaksFor[i])
		var unread *fields.Error
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &unread), errors.As(err, &tooLarge):
			v.misspeaks()
			return nil
		case err != nil:
			return err
		}
		for _, name := range names {
			if !v.isSessionsName(name) && !v.isAccount(v.r.Context(), name, v.session.Account) {
				v.misspeaks()
				return nil
			}
		}
		named += here
	}
	if named == 0 {
		v.misspeaks()
	}
	return nil
}

// misspeaks puts the session aside: the request is not its user's.
func (v *visit) misspeaks() { v.anothers, v.identity = true, "" }

// names are whom a request names in one place, and how many of them stand in
// that very place. Beside it they are looked for where an app may find a field
// of the same name: a form's in the query, the query's in a form.
func (v *visit) names(s *SpeaksFor) (all []string, here int, err error) {
	switch s.From {
	case FromHeader:
		all, err = v.headersNamed(s.Name)
		return all, len(all), err
	case FromJSON:
		if !v.isMedia("json") {
			return nil, 0, v.mayName(s.Name)
		}
		if err := v.readBody(); err != nil {
			return nil, 0, err
		}
		all, err = oneName(fields.JSON(v.withoutQuery(), v.body, s.Name))
		return all, len(all), err
	}
	query, err := oneName(fields.Query(v.r, s.Name))
	if err != nil {
		return nil, 0, err
	}
	form, err := v.formNames(s.Name)
	if err != nil {
		return nil, 0, err
	}
	here = len(query)
	if s.From == FromForm {
		here = len(form)
	}
	return append(query, form...), here, nil
}

// formNames are whom a form names. One beyond the cap is cut off where it does.
func (v *visit) formNames(name string) ([]string, error) {
	if !v.hasBody() {
		return nil, nil
	}
	if !v.isMedia("form") {
		return nil, v.mayName(name)
	}
	if err := v.readBody(); err != nil {
		return nil, err
	}
	if v.body.Whole() {
		return oneName(fields.Form(v.withoutQuery(), v.body, name))
	}
	m, err := cookie.NewMatcher(name)
	if err != nil {
		return nil, err
	}
	return nil, v.body.Strip(v.r, m.FoldMatch)
}

// mayName is an error if a body that is not of the place's type may name
// somebody there all the same: there are apps that do not ask for the type.
func (v *visit) mayName(name string) error {
	if !v.hasBody() {
		return nil
	}
	if err := v.readBody(); err != nil {
		return err
	}
	if v.body.MayName(name) {
		return &fields.Error{Reason: "content_type", Detail: "the body may name a user and does not say what it is"}
	}
	return nil
}

// headersNamed are the values of a header field in every spelling that an app
// could read as its name.
func (v *visit) headersNamed(name string) ([]string, error) {
	m, err := cookie.NewMatcher(noHyphen(name))
	if err != nil {
		return nil, err
	}
	var all []string
	for other, values := range v.r.Header {
		if m.FoldMatch(noHyphen(other)) {
			all = append(all, values...)
		}
	}
	return all, nil
}

// oneName makes a name that is not there none.
func oneName(name string, err error) ([]string, error) {
	switch {
	case isMissing(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return []string{name}, nil
}

// withoutQuery is the request as one that has no query.
func (v *visit) withoutQuery() *http.Request {
	r := *v.r
	r.URL = &url.URL{Path: v.r.URL.Path, RawPath: v.r.URL.RawPath}
	return &r
}

// isMedia reports whether the body says that it is JSON, or a form of either
// kind.
func (v *visit) isMedia(kind string) bool {
	media, _, err := mime.ParseMediaType(v.r.Header.Get("Content-Type"))
	if err != nil {
		return strings.Contains(strings.ToLower(v.r.Header.Get("Content-Type")), kind)
	}
	return strings.Contains(media, kind)
}
