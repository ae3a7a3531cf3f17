package handler

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
	"github.com/caddy-twofactor/caddy-twofactor/internal/fields"
)

// Where an app keeps several users in one session, a request says for whom it
// speaks, and a session counts only for requests that speak for its own user.

// heed sees to it that the browser's session is used only if the request speaks
// for its user, in every place where it says so. A request that names nobody,
// or that cannot be read for certain, speaks for nobody; the login page alone
// may be asked for in nobody's name, but not in another's.
func (v *visit) heed() error {
	if len(v.g.SpeaksFor) == 0 || !v.verified() {
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
	if named == 0 && !v.asksForLoginPage() {
		v.misspeaks()
	}
	return nil
}

// asksForLoginPage reports whether the browser asks for the login page, where a
// further user signs in.
func (v *visit) asksForLoginPage() bool {
	return v.isLoginPage() && (v.r.Method == http.MethodGet || v.r.Method == http.MethodHead)
}

// misspeaks puts the session aside: the request is not its user's.
func (v *visit) misspeaks() {
	v.anothers, v.identity = true, ""
	v.placeNobody()
}

// names are whom a request names in one place, and how many of them stand in
// that very place. Where that is no header, they are looked for in query, form
// and JSON, since many apps take a field from any of them: Laravel prefers what
// JSON says, Rails what the query does.
func (v *visit) names(s *SpeaksFor) (all []string, here int, err error) {
	if s.From == FromHeader {
		all, err = v.headersNamed(s.Name)
		return all, len(all), err
	}
	query, err := oneName(fields.Query(v.r, s.Name))
	if err != nil {
		return nil, 0, err
	}
	form, json, err := v.bodyNames(s.Name)
	if err != nil {
		return nil, 0, err
	}
	switch s.From {
	case FromForm:
		here = len(form)
	case FromJSON:
		here = len(json)
	default:
		here = len(query)
	}
	return slices.Concat(query, form, json), here, nil
}

// bodyNames are whom a form, or JSON, names. A body beyond the cap is cut off
// where it does.
func (v *visit) bodyNames(name string) (form, json []string, err error) {
	if !v.hasBody() {
		return nil, nil, nil
	}
	if err := v.readBody(); err != nil {
		return nil, nil, err
	}
	isForm, isJSON := v.body.IsForm(), v.body.IsJSON()
	switch {
	case !isForm && !isJSON:
		return nil, nil, v.mayName(name)
	case !v.body.Whole():
		m, err := cookie.NewMatcher(name)
		if err != nil {
			return nil, nil, err
		}
		return nil, nil, v.body.Strip(v.r, m.FoldMatch)
	case isForm:
		form, err = oneName(fields.Form(v.withoutQuery(), v.body, name))
	default:
		json, err = oneName(fields.JSON(v.withoutQuery(), v.body, name))
	}
	return form, json, err
}

// mayName is an error if a body that is neither a form nor JSON may name
// somebody all the same: there are apps that do not ask for the type.
func (v *visit) mayName(name string) error {
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

// isSpeaking reports whether a header field says for whom a request speaks.
func (g *Gate) isSpeaking(name string) bool {
	return slices.ContainsFunc(g.SpeaksFor, func(s SpeaksFor) bool {
		m, err := cookie.NewMatcher(noHyphen(s.Name))
		return s.From == FromHeader && (err != nil || m.FoldMatch(noHyphen(name)))
	})
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
