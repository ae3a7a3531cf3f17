package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// stage is everything that runs: the app, the server that says 204, and the
// Caddys.
type stage struct {
	options
	app, auth                  *process
	bare, forward, ours, crowd *process
	// one and many are the cookies of a session at ours and at the crowd's;
	// visitor are those of a visitor of ours.
	one, many, visitor string
}

// build starts the servers and makes the sessions, which stay in the stores
// through every restart of the Caddys.
func (s *stage) build(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	for name, p := range map[string]**process{"app": &s.app, "auth": &s.auth} {
		address, err := freeAddress()
		if err != nil {
			return err
		}
		if *p, err = start(s.dir, name, nil, self, name, address); err != nil {
			return err
		}
		(*p).address = address
		if err := ready(ctx, address); err != nil {
			return err
		}
	}
	if err := s.restart(ctx, false); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "bench: making %d sessions\n", s.sessions+1)
	if s.one, err = fill(ctx, s.ours.address, 1); err != nil {
		return err
	}
	if s.many, err = fill(ctx, s.crowd.address, s.sessions); err != nil {
		return err
	}
	s.visitor, err = fetch(ctx, http.MethodGet, "http://"+s.ours.address+"/basket", nil, http.StatusOK)
	if err == nil && !strings.HasPrefix(s.visitor, "sid=2f1.") {
		err = errors.New("a visitor got no sealed cookie")
	}
	return err
}

// restart starts the Caddys anew, with the collector kept away or as Go has it.
func (s *stage) restart(ctx context.Context, tuned bool) error {
	env := []string{"GOGC=100", "GOMEMLIMIT=off"}
	if tuned {
		env = []string{"GOGC=off", "GOMEMLIMIT=300MiB"}
	}
	for _, c := range []struct {
		name   string
		p      **process
		before string
	}{
		{"bare", &s.bare, ""},
		{"forward", &s.forward, "forward_auth " + s.auth.address + " {\n\t\turi /auth\n\t}"},
		{"ours", &s.ours, gate},
		{"crowd", &s.crowd, gate},
	} {
		(*c.p).stop()
		p, err := s.caddyProcess(ctx, c.name, env, c.before)
		*c.p = p
		if err != nil {
			return err
		}
	}
	return nil
}

// gate is the gateway as it stands in front of the app.
const gate = `two_factor {
		login fields email password {
			proof /me/{http.two_factor.user} {
				user json user
				no json visitor
			}
		}
		login_page /login
		unknown_user allow
		step_up /app/export*
		step_up /app/settings/* {
			max_age 15m
		}
		public /page*
		public /basket
		protect *
	}`

// caddyProcess starts a Caddy with a store of its own.
func (s *stage) caddyProcess(ctx context.Context, name string, env []string, before string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("{\n\tadmin %s\n\tpersist_config off\n\tauto_https off\n\tlog {\n\t\tlevel ERROR\n\t}\n}\n\nhttp://%s {\n\t%s\n\treverse_proxy %s\n}\n",
		admin, address, before, s.app.address)
	file := filepath.Join(s.dir, name+".Caddyfile")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	env = append(env, "XDG_DATA_HOME="+filepath.Join(s.dir, name), "XDG_CONFIG_HOME="+filepath.Join(s.dir, name))
	p, err := start(s.dir, name, env, s.caddy, "run", "--config", file, "--adapter", "caddyfile")
	if err != nil {
		return nil, err
	}
	p.address, p.admin = address, admin
	if err := ready(ctx, address); err != nil {
		return p, fmt.Errorf("%w; its log is %s", err, filepath.Join(s.dir, name+".log"))
	}
	return p, nil
}

func (s *stage) stopAll() {
	for _, p := range []*process{s.bare, s.forward, s.ours, s.crowd, s.auth, s.app} {
		p.stop()
	}
}
