package demoapp

import (
	"bytes"
	"encoding/json"
	"mime"
	"mime/multipart"
	"net/url"
)

// readFields reads a request body as a form, as multipart, or, where the app
// takes it, as a JSON object. What cannot be read is empty.
func readFields(contentType string, body []byte, takesJSON bool) url.Values {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return url.Values{}
	}
	switch {
	case media == "application/x-www-form-urlencoded":
		// The pairs that can be read count; the others are left out.
		fields, _ := url.ParseQuery(string(body))
		return fields
	case media == "multipart/form-data":
		form, err := multipart.NewReader(bytes.NewReader(body), params["boundary"]).ReadForm(maxBody)
		if err != nil {
			return url.Values{}
		}
		defer form.RemoveAll()
		return form.Value
	case media == "application/json" && takesJSON:
		return jsonFields(body)
	}
	return url.Values{}
}

func jsonFields(body []byte) url.Values {
	var object map[string]any
	if err := json.Unmarshal(body, &object); err != nil {
		return url.Values{}
	}
	fields := url.Values{}
	addFields(fields, "", object)
	return fields
}

// addFields adds the texts of an object and of those in it, whose names have
// the way there before them, with dots.
func addFields(fields url.Values, way string, object map[string]any) {
	for name, val := range object {
		switch val := val.(type) {
		case string:
			fields.Set(way+name, val)
		case map[string]any:
			addFields(fields, way+name+".", val)
		}
	}
}

// field is a field of the body or, if the body has none of that name, of the
// query. Of several, the last counts.
func (v *visit) field(name string) (string, bool) {
	for _, from := range []url.Values{v.form, v.query} {
		if all := from[name]; len(all) > 0 {
			return all[len(all)-1], true
		}
	}
	return "", false
}
