package twofactor

import (
	"cmp"
	"net/http"
	"time"
)

// serveDevices lists a user's remembered browsers, or forgets some of them.
func serveDevices(w http.ResponseWriter, r *http.Request) error {
	var request devicesRequest
	switch r.Method {
	case http.MethodGet:
	case http.MethodPost:
		if err := wantJSONType(r); err != nil {
			return err
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
	return answerOf(w, list, err)
}
