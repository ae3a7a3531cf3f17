package twofactor

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// warnAtStart tells the operator what the instances of the config will do to
// everybody: an enforcing one without accounts lets nobody in, a watching one
// asks nobody.
func (a *App) warnAtStart() {
	parts := a.shared.parts.Load()
	for _, name := range a.instances.names() {
		s := a.instances.settings(name)
		log := a.logger.With(zap.String("instance", name))
		if s.Mode == "observe" {
			log.Warn("mode observe: this instance only watches, and asks nobody for a second factor; see what it has seen with: " +
				commandHere("accounts", name))
			continue
		}
		if parts != nil && a.shared.mailer == nil && hasFactors(a.ctx, parts.Store, a.instances.gate(name)) {
			log.Warn("no mail server is configured, so that users are not told when somebody changes their second factor or has their password: name one in the global options, two_factor { mail { server … } }")
		}
		if parts == nil || !isWithoutAccounts(a.ctx, parts.Store, name) {
			continue
		}
		what := "no user has an account here, so that every right password will be refused"
		if s.UnknownUser == "allow" {
			what = "no user has an account here, so that nobody will be asked for a second factor"
		}
		log.Warn(what + "; write your users to a file and import them with: " + commandHere("import users.csv", name))
	}
}

// hasFactors reports whether users of an instance have second factors, or are
// asked to add one.
func hasFactors(ctx context.Context, s store.Accounts, g *handler.Gate) bool {
	e := &g.Enrolment
	if e.Mode != account.ModeOff || slices.ContainsFunc(e.Rules, func(r handler.EnrolmentRule) bool { return r.Mode != account.ModeOff }) {
		return true
	}
	for a, err := range s.ListAccounts(ctx, g.Instance) {
		if err == nil && a.HasFactor() {
			return true
		}
	}
	return false
}

// isWithoutAccounts reports whether an instance certainly has no account.
func isWithoutAccounts(ctx context.Context, s store.Accounts, instance string) bool {
	for range s.ListAccounts(ctx, instance) {
		return false
	}
	return true
}

// commandHere is a command for an instance as it is to be typed for the Caddy
// that runs here, in any folder.
func commandHere(command, instance string) string {
	folder, err := os.Getwd()
	if err != nil {
		folder = ""
	}
	return commandLine(os.Args, folder, command, instance)
}

// commandLine writes a command with the program and the config of the command
// line by which Caddy was started, in a folder.
func commandLine(started []string, folder, command, instance string) string {
	program, config, adapter := "caddy", "", ""
	if len(started) > 0 && filepath.Base(started[0]) == "caddy" {
		program = started[0]
		if strings.ContainsRune(program, filepath.Separator) {
			program = absolute(folder, program)
		}
	}
	for i, arg := range started {
		name, value, joined := strings.Cut(arg, "=")
		if !joined && i+1 < len(started) {
			value = started[i+1]
		}
		switch name {
		case "--config", "-config", "-c":
			config = value
		case "--adapter", "-adapter", "-a":
			adapter = value
		}
	}
	if config == "" && isFile(filepath.Join(folder, "Caddyfile")) {
		config = "Caddyfile"
	}
	line := shellWord(program) + " two-factor " + command
	if instance != defaultName {
		line += " --instance " + instance
	}
	if config != "" && config != "-" {
		line += " --config " + shellWord(absolute(folder, config))
		if adapter != "" {
			line += " --adapter " + shellWord(adapter)
		}
	}
	return line
}

func absolute(folder, path string) string {
	if filepath.IsAbs(path) || folder == "" {
		return path
	}
	return filepath.Join(folder, path)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// shellWord quotes what a shell would take apart.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
