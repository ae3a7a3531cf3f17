package twofactor

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func init() {
	caddy.RegisterModule(AdminAPI{})
}

// Addresses of the admin API.
const (
	adminAccounts = "/two_factor/accounts"
	adminImport   = "/two_factor/import"
	adminSeen     = "/two_factor/seen"
	adminRevoke   = "/two_factor/revoke"
	adminDevices  = "/two_factor/devices"
	adminExplain  = "/two_factor/explain"
)

// AdminAPI are the routes of Caddy's admin API for accounts:
//
//   - GET /two_factor/accounts[?instance=NAME] lists accounts with their
//     factors, never a secret.
//   - GET /two_factor/seen[?instance=NAME] lists what `mode observe` has seen:
//     users, cookies, and logins that were not recognised.
//   - POST /two_factor/import[?instance=NAME][&region=XX] takes a file of
//     accounts, text/csv or application/json, of at most 16 MiB; all of it or
//     nothing.
//   - POST /two_factor/revoke[?instance=NAME] takes {"users": ["anna"]},
//     application/json, of at most 1 MiB and 1000 users, and ends all their
//     sessions and forgets their remembered browsers. It answers with how many each had. 404 if there is neither an
//     account nor a session of one of them: the sessions of those who have an
//     account go on then.
//   - GET /two_factor/devices?user=NAME[&instance=NAME] lists the remembered
//     browsers of a user, and POST /two_factor/devices[?instance=NAME] forgets
//     some: it takes {"user": "anna", "forget": ["1f0c22ab"]} or {"user":
//     "anna", "all": true}, application/json, of at most 16 KiB, and answers
//     with those that were forgotten. 404 if there is no such account or
//     device: nothing is forgotten then.
//   - POST /two_factor/explain[?instance=NAME] takes {"user": "anna", "ip":
//     "192.0.2.7", "user_agent": "…", "device": "known|none|stolen", "time":
//     RFC 3339, "login": N or "step_up": N}, application/json, of at most 64 KiB,
//     all but the user optional. It answers with what the policy would decide on
//     such a login, with every signal, and changes nothing.
//   - POST /two_factor/<act>[?instance=NAME] does one of the operator's acts: it
//     takes a JSON object, application/json, of at most 64 KiB, whose members are
//     the flags of the command of that name. 400 for what cannot be, 404 if there
//     is no such user: nothing has changed then. The acts, all but accounts/search
//     with the member user: accounts/show; accounts/search {"text"}; accounts/add
//     and accounts/set {"mail", "group", "team", "owner", "language", "aliases"};
//     accounts/aliases {"add", "remove"}; demand {"group", "team", "all", "from",
//     "off"}; allow-off {"no"}; exempt {"until", "why", "end"}; suspend {"why"};
//     activate; unlock and reset {"factor"}; invite {"for", "url"}; sessions
//     {"end", "all"}; erase; export-data.
type AdminAPI struct{}

// CaddyModule returns the module's information.
func (AdminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.two_factor",
		New: func() caddy.Module { return new(AdminAPI) },
	}
}

// Routes returns the routes.
func (AdminAPI) Routes() []caddy.AdminRoute {
	return append([]caddy.AdminRoute{
		{Pattern: adminAccounts, Handler: caddy.AdminHandlerFunc(serveAccounts)},
		{Pattern: adminSeen, Handler: caddy.AdminHandlerFunc(serveSeen)},
		{Pattern: adminImport, Handler: caddy.AdminHandlerFunc(serveImport)},
		{Pattern: adminExplain, Handler: caddy.AdminHandlerFunc(serveExplain)},
		{Pattern: adminRevoke, Handler: caddy.AdminHandlerFunc(serveRevoke)},
		{Pattern: adminDevices, Handler: caddy.AdminHandlerFunc(serveDevices)},
	}, actRoutes()...)
}

// activeLease asks for the app at each request: routers outlive configs, and
// after a failed reload the live router is that of the failed one.
func activeLease() (*App, *Lease, error) {
	v, err := caddy.ActiveContext().AppIfConfigured(appName)
	if err != nil {
		return nil, nil, apiError(http.StatusNotFound, "the running config has no two_factor")
	}
	app, ok := v.(*App)
	if !ok {
		return nil, nil, apiError(http.StatusInternalServerError, "the app two_factor is a %T", v)
	}
	lease, err := app.Lease()
	if err != nil {
		return nil, nil, apiError(http.StatusServiceUnavailable, "%v", err)
	}
	return app, lease, nil
}

func apiError(status int, format string, args ...any) error {
	return caddy.APIError{HTTPStatus: status, Err: fmt.Errorf(format, args...)}
}

func serveAccounts(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return apiError(http.StatusMethodNotAllowed, "accounts can only be read here: use GET")
	}
	_, lease, err := activeLease()
	if err != nil {
		return err
	}
	defer lease.Release()

	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	// The list can be long, so it is written while it is read. If reading
	// fails in the middle the answer ends without its closing bracket, which
	// no reader takes for a whole list.
	separator := "[\n"
	err = listAccounts(r.Context(), lease.Parts().Store, r.URL.Query().Get("instance"), time.Now(), func(v accountView) error {
		line, err := json.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(append([]byte(separator), line...))
		separator = ",\n"
		return err
	})
	lease.from.events.recordListed(r.Context(), r.URL.Query().Get("instance"), byAdminAPI, remoteIP(r))
	if err != nil {
		if separator == "[\n" {
			return apiError(http.StatusServiceUnavailable, "%v", err)
		}
		panic(http.ErrAbortHandler)
	}
	if separator == "[\n" {
		_, err = w.Write([]byte("[]\n"))
		return err
	}
	_, err = w.Write([]byte("\n]\n"))
	return err
}

func serveSeen(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return apiError(http.StatusMethodNotAllowed, "what was seen can only be read: use GET")
	}
	app, lease, err := activeLease()
	if err != nil {
		return err
	}
	defer lease.Release()
	app.instances.writeSeen()
	seen, err := listSeen(r.Context(), lease.Parts().Store, r.URL.Query().Get("instance"), time.Now())
	if err != nil {
		return apiError(http.StatusServiceUnavailable, "%v", err)
	}
	if seen == nil {
		seen = []store.Seen{}
	}
	return writeJSON(w, http.StatusOK, seen)
}

// importRefusal is the answer to an import of which nothing was taken.
type importRefusal struct {
	Error    string          `json:"error"`
	Problems []importProblem `json:"problems,omitempty"`
	More     bool            `json:"more,omitempty"`
}

func serveImport(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return apiError(http.StatusMethodNotAllowed, "an import is taken by POST")
	}
	// A web page cannot send these types to another site without being asked.
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "text/csv" && kind != "application/json" {
		return apiError(http.StatusUnsupportedMediaType, "want text/csv or application/json")
	}
	app, lease, err := activeLease()
	if err != nil {
		return err
	}
	defer lease.Release()

	query := r.URL.Query()
	im := importer{parts: lease.Parts(), instance: query.Get("instance"), instances: app.instances.names(), region: query.Get("region"), now: time.Now(),
		events: lease.from.events, by: byAdminAPI, from: remoteIP(r)}
	if im.instance == "" {
		im.instance = defaultName
	}
	result, err := im.run(r.Context(), http.MaxBytesReader(w, r.Body, maxImportBytes+1))
	if err != nil {
		return refuseImport(w, err)
	}
	return writeJSON(w, http.StatusOK, result)
}

// refuseImport answers by itself where there is a list of problems: Caddy
// would write it as one line, and into its log.
func refuseImport(w http.ResponseWriter, err error) error {
	var bad *importError
	var input *inputError
	switch {
	case errors.As(err, &bad):
		return writeJSON(w, http.StatusBadRequest, importRefusal{Error: "nothing was imported", Problems: bad.problems, More: bad.more})
	case errors.As(err, &input):
		return apiError(http.StatusBadRequest, "%v", err)
	case errors.Is(err, store.ErrConflict):
		return apiError(http.StatusConflict, "%v", err)
	default:
		return apiError(http.StatusServiceUnavailable, "%v", err)
	}
}

func serveRevoke(w http.ResponseWriter, r *http.Request) error {
	if err := wantJSON(r, "sessions are ended by POST"); err != nil {
		return err
	}
	users, err := readRevoke(http.MaxBytesReader(w, r.Body, maxRevokeBytes))
	if err != nil {
		return apiError(http.StatusBadRequest, "%v", err)
	}
	app, lease, err := activeLease()
	if err != nil {
		return err
	}
	defer lease.Release()

	rv := revoker{store: lease.Parts().Store, instance: cmp.Or(r.URL.Query().Get("instance"), defaultName), instances: app.instances.names(),
		now: time.Now(), events: lease.from.events, by: byAdminAPI, from: remoteIP(r)}
	result, err := rv.run(r.Context(), users)
	return answerOf(w, result, err)
}

func serveExplain(w http.ResponseWriter, r *http.Request) error {
	if err := wantJSON(r, "a login is explained by POST"); err != nil {
		return err
	}
	ask, err := readExplain(http.MaxBytesReader(w, r.Body, maxExplainBytes))
	if err != nil {
		return apiError(http.StatusBadRequest, "%v", err)
	}
	app, lease, err := activeLease()
	if err != nil {
		return err
	}
	defer lease.Release()

	instance := cmp.Or(r.URL.Query().Get("instance"), defaultName)
	if err := checkInstance(instance, app.instances.names()); err != nil {
		return apiError(http.StatusBadRequest, "%v", err)
	}
	gate := app.instances.gate(instance)
	if gate == nil {
		return apiError(http.StatusNotFound, "the running config has no instance %s", instance)
	}
	x := explainer{gate: gate, parts: lease.Parts(), now: time.Now(), events: lease.from.events, by: byAdminAPI, from: remoteIP(r)}
	result, err := x.run(r.Context(), ask)
	return answerOf(w, result, err)
}

// wantJSON refuses what is no POST of a JSON object, with what POST is for.
func wantJSON(r *http.Request, post string) error {
	if r.Method != http.MethodPost {
		return apiError(http.StatusMethodNotAllowed, "%s", post)
	}
	return wantJSONType(r)
}

// wantJSONType refuses other types of a body: a web page cannot send this one to
// another site without being asked.
func wantJSONType(r *http.Request) error {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return apiError(http.StatusUnsupportedMediaType, "want application/json")
	}
	return nil
}

// answerOf answers with what an operator's act has come to.
func answerOf(w http.ResponseWriter, result any, err error) error {
	var input *inputError
	var strangers *strangersError
	switch {
	case err == nil:
		return writeJSON(w, http.StatusOK, result)
	case errors.As(err, &strangers):
		return apiError(http.StatusNotFound, "%v", err)
	case errors.As(err, &input):
		return apiError(http.StatusBadRequest, "%v", err)
	default:
		return apiError(http.StatusServiceUnavailable, "%v", err)
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(v)
}

// Interface guards.
var _ caddy.AdminRouter = (*AdminAPI)(nil)
