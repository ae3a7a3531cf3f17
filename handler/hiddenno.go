package handler

import (
	"bytes"
	"net/http"
	"slices"

	"go.uber.org/zap"
	"golang.org/x/net/html"
)

// maySayNo reports whether the app's own no goes to the browser. A login that
// was told by its fields can stand at any address, and what the app says no
// with may be the very page of that address: where it needs a verified session,
// two made-up fields must not open it. A refusal or a redirect is no page of
// it, nor is an answer with a text or a value that only a wrong password
// brings; any other must show the login form again.
func (a *attempt) maySayNo(ans *answer) bool {
	if !a.hidesNo() || ans.status >= 300 {
		return true
	}
	told := slices.DeleteFunc(slices.Clone(a.login.No), func(list Signs) bool { return !list.readBody() })
	if anyOf(told, ans) == seen || ans.body == nil {
		return ans.body != nil
	}
	return showsField(ans.body, a.login.Fields.Password)
}

// hidesNo reports whether a no of this login may be the page of a protected
// address.
func (a *attempt) hidesNo() bool {
	if a.login.Fields == nil || a.wasVerified || a.g.Anonymous {
		return false
	}
	protected, err := a.isProtected()
	return err != nil || protected
}

// readBody reports whether one of the signs is looked for in the body.
func (s Signs) readBody() bool {
	return slices.ContainsFunc(s, func(sign Sign) bool { return sign.Text != "" || sign.JSON != nil })
}

// showsField reports whether a page has an input of this name. What a page
// repeats of a request has its angle brackets escaped, or the app has a hole
// that no gateway can close.
func showsField(body []byte, name string) bool {
	z := html.NewTokenizer(bytes.NewReader(body))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return false
		case html.StartTagToken, html.SelfClosingTagToken:
			tag := z.Token()
			if tag.Data != "input" {
				continue
			}
			for _, attr := range tag.Attr {
				if attr.Key == "name" && attr.Val == name {
					return true
				}
			}
		}
	}
}

// sayNo answers in place of an app whose no may not be shown, with the cookies
// that it set.
func (a *attempt) sayNo(h http.Header) error {
	a.g.Logger.Warn("a wrong password was sent to a protected address, so that the app's answer is not shown: make the address of the login form public, or tell the login by it",
		zap.String("method", a.r.Method), zap.String("path", a.orig.Path))
	for _, line := range h["Set-Cookie"] {
		a.w.Header().Add("Set-Cookie", line)
	}
	if a.old != nil {
		return a.routePending()
	}
	return a.askForLogin()
}
