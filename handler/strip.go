package handler

import (
	"slices"
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
)

// stripAddress takes the names of session cookies out of the address before
// any rule is asked: an app that reads them there would let a session in that
// no seal has opened.
func (v *visit) stripAddress() {
	v.strip(v.g.isAddressed, v.g.isAddressed)
}

// stripCredentials removes what carries a credential or a token from a request
// that is not a login, but for what is bound to its own verified session.
func (v *visit) stripCredentials() error {
	kept := v.bound()
	if !kept.authorization {
		delete(v.r.Header, "Authorization")
	}
	if !v.g.fielded.none() {
		if err := v.stripFields(v.g.fielded.match, kept); err != nil {
			return err
		}
	}
	return v.stripForm()
}

// stripForm takes the names of session cookies out of a form: some servers
// look for a session there too (PHP with session.use_only_cookies off, upload
// scripts), and a session that a held login has opened under a name of the
// client's choice would come in by it.
func (v *visit) stripForm() error {
	if !v.hasBody() {
		return nil
	}
	if err := v.readBody(); err != nil || !v.body.IsForm() {
		return err
	}
	return v.body.Strip(v.r, v.g.embodied.FoldMatch)
}

// stripBeside removes every credential but its own two fields from a login that
// was told by them. Such a login can stand on any page, and what the app takes
// a wrong password's answer for may be that page, opened by the other
// credential.
func (v *visit) stripBeside(own *Fields) error {
	return v.stripFields(func(name string) bool {
		return name != own.User && name != own.Password && v.g.fielded.match(name)
	}, keptFields{})
}

// keptFields are what stays of the fields that carry a credential.
type keptFields struct {
	authorization bool
	// headers and query are names, as they are written there.
	headers, query []string
}

// stripFields removes Authorization and the fields that is says yes to, of the
// header, of the address and of the body, but for those that are kept.
func (v *visit) stripFields(is func(name string) bool, kept keptFields) error {
	if !kept.authorization {
		delete(v.r.Header, "Authorization")
	}
	if v.g.fielded.none() {
		return nil
	}
	for name := range v.r.Header {
		if name == "Authorization" || slices.Contains(kept.headers, name) {
			continue
		}
		if is(name) || v.g.fielded.matchHeader(name) {
			delete(v.r.Header, name)
		}
	}
	inQuery := is
	if len(kept.query) > 0 {
		inQuery = func(name string) bool { return !slices.Contains(kept.query, name) && is(name) }
	}
	v.strip(inQuery, is)
	if !v.g.fielded.inBodies(v.r.Header.Get("Content-Type")) {
		return nil
	}
	if err := v.readBody(); err != nil {
		return err
	}
	return v.body.Strip(v.r, is)
}

// strip removes fields from the address, here and in what Caddy remembers of
// the original one, which some upstreams are told.
func (v *visit) strip(inQuery, inPath func(string) bool) {
	inOrig := inQuery
	if v.orig.RawQuery != v.r.URL.RawQuery {
		// What is kept was looked at in the one that the app gets.
		inOrig = inPath
	}
	query, changed := cookie.StripQuery(v.r.URL.RawQuery, inQuery)
	if changed {
		v.r.URL.RawQuery = query
	}
	path, cut := cookie.StripPathParams(v.r.URL.EscapedPath(), inPath)
	if cut {
		setRawPath(v.r.URL, path)
	}
	if v.orig != v.r.URL {
		if q, ok := cookie.StripQuery(v.orig.RawQuery, inOrig); ok {
			v.orig.RawQuery, changed = q, true
		}
		if p, ok := cookie.StripPathParams(v.orig.EscapedPath(), inPath); ok {
			setRawPath(v.orig, p)
			cut = true
		}
	}
	if changed || cut {
		v.r.RequestURI = v.orig.RequestURI()
		v.allPaths = nil
	}
}

// fieldNames are the names of fields that carry a credential or a token, as an
// app may read them.
type fieldNames struct {
	all cookie.Matcher
	// headers compares as CGI does, which knows no hyphen.
	headers cookie.Matcher
	// bodies are declared credentials, which no body may carry; forms says that
	// a form may not either carry what the query does.
	bodies, forms bool
	any           bool
}

func newFieldNames(credentials []string, carried []Carried) (fieldNames, error) {
	names := slices.Clone(credentials)
	f := fieldNames{bodies: len(credentials) > 0}
	for _, c := range carried {
		switch {
		case c.Query != "":
			names = append(names, c.Query)
			f.forms = true
		default:
			names = append(names, c.Header)
		}
	}
	f.any = len(names) > 0
	var err error
	if f.all, err = cookie.NewMatcher(names...); err != nil {
		return f, wrapField(err)
	}
	folded := make([]string, len(names))
	for i, name := range names {
		folded[i] = noHyphen(name)
	}
	if f.headers, err = cookie.NewMatcher(folded...); err != nil {
		return f, wrapField(err)
	}
	return f, nil
}

func noHyphen(name string) string { return strings.ReplaceAll(name, "-", "_") }

func (f *fieldNames) none() bool             { return !f.any }
func (f *fieldNames) match(name string) bool { return f.any && f.all.FoldMatch(name) }

// matchHeader reports whether an app could read a header field as one of the
// names.
func (f *fieldNames) matchHeader(name string) bool {
	return f.any && f.headers.FoldMatch(noHyphen(name))
}

// inBodies reports whether a body of this type is looked through.
func (f *fieldNames) inBodies(contentType string) bool {
	if f.bodies || !f.forms {
		return f.bodies
	}
	contentType = strings.ToLower(contentType)
	return strings.Contains(contentType, "form") || strings.Contains(contentType, "multipart")
}
