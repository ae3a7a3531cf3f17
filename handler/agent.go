package handler

import (
	"strings"
	"sync"

	useragent "github.com/medama-io/go-useragent"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// Agents reads the families of browser and system from user agents. Its tables
// take some 5 MB and 50 ms, so that they are made at the first login and shared
// by all gates of a config.
type Agents struct {
	parser func() *useragent.Parser
}

// NewAgents returns a reader of user agents.
func NewAgents() *Agents { return &Agents{parser: sync.OnceValue(useragent.NewParser)} }

// read returns what a user agent says. What no browser is goes by the first word
// of it, such as curl.
func (a *Agents) read(s string) policy.Agent {
	if s == "" {
		return policy.Agent{}
	}
	u := a.parser().Parse(bounded(s, maxAgent))
	agent := policy.Agent{Browser: string(u.Browser()), System: string(u.OS())}
	if agent.Browser == "" {
		agent.Browser = firstWord(s)
	}
	return agent
}

// firstWord is the name of the first product of a user agent (RFC 9110 section
// 10.1.5), if it is one.
func firstWord(s string) string {
	end := strings.IndexFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '.')
	})
	if end < 0 {
		end = len(s)
	}
	return bounded(s[:end], policy.MaxName)
}
