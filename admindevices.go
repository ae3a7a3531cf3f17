package twofactor

import (
	"cmp"
	"errors"
	"mime"
	"net/http"
	"time"
)

// serveDevices lists a user's remembered browsers, or forgets some of them.
func serveDevices(w http.ResponseWriter, r *http.Request) error {
	var request devicesRequest
	switch r.Method {
	case http.MethodGet:
	case http.MethodPost:
		// A web page cannot send this type to another site without being asked.
		if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
			return apiError(http.StatusUnsupportedMediaType, "want application/json")
		}
		var err error
		if request, err = readDevices(http.MaxBytesReader(w, r.Body, maxDevicesBytes)); err != nil {
			return apiError(http.StatusBadRequest, "%v", err)
		}
	default:
		return apiError(http.StatusMethodNotAllowed, "devices are listed by GET and forgotten by POST")
	}
	app, lease, err := activeLease()
	if err != nil {
		return err
	}
	defer lease.Release()

	query := r.URL.Query()
	k := deviceKeeper{store: lease.Parts().Store, instance: cmp.Or(query.Get("instance"), defaultName), instances: app.instances.names(),
		now: time.Now(), events: lease.from.events, by: byAdminAPI, from: remoteIP(r)}
	var list deviceList
	if r.Method == http.MethodGet {
		list, err = k.list(r.Context(), query.Get("user"))
	} else {
		list, err = k.forget(r.Context(), request)
	}
	var input *inputError
	var strangers *strangersError
	switch {
	case err == nil:
		return writeJSON(w, http.StatusOK, list)
	case errors.As(err, &strangers):
		return apiError(http.StatusNotFound, "%v", err)
	case errors.As(err, &input):
		return apiError(http.StatusBadRequest, "%v", err)
	default:
		return apiError(http.StatusServiceUnavailable, "%v", err)
	}
}
