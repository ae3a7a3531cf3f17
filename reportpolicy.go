package twofactor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/report"
)

// maxPolicyFile bounds a file with a policy, in bytes.
const maxPolicyFile = 64 << 10

// candidates are the policies to replay: presets, or files.
func candidates(names []string) ([]report.Candidate, error) {
	if len(names) > maxCandidates {
		return nil, fmt.Errorf("at most %d policies are replayed at once, got %d --policy", maxCandidates, len(names))
	}
	var list []report.Candidate
	for _, name := range names {
		c := report.Candidate{Name: plain(name), Rules: policy.Rules{Preset: name}}
		if !slices.Contains([]string{policy.EveryLogin, policy.OnNewDevice, policy.OnNewIP, policy.Unfamiliar}, name) {
			rules, err := policyFile(name)
			if err != nil {
				return nil, err
			}
			c.Rules = rules
		}
		list = append(list, c)
	}
	return list, nil
}

// policyFile reads a file that holds one policy as it stands in a Caddyfile.
func policyFile(name string) (policy.Rules, error) {
	file, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return policy.Rules{}, fmt.Errorf("--policy %s is neither a preset (every_login, new_device, new_ip, unfamiliar) nor a file", clip(name))
	}
	if err != nil {
		return policy.Rules{}, fmt.Errorf("--policy: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxPolicyFile+1))
	if err != nil {
		return policy.Rules{}, fmt.Errorf("--policy: %w", err)
	}
	if len(text) > maxPolicyFile {
		return policy.Rules{}, fmt.Errorf("--policy: %s is longer than %d KiB: want a file with one policy", name, maxPolicyFile>>10)
	}
	rules, err := parsePolicy(text, name)
	if err != nil {
		return rules, fmt.Errorf("--policy: %w", err)
	}
	return rules, nil
}

// parsePolicy reads the text of one policy, by the grammar of the directive.
func parsePolicy(text []byte, name string) (policy.Rules, error) {
	tokens, err := caddyfile.Tokenize(text, name)
	if err != nil && !errors.Is(err, io.EOF) {
		return policy.Rules{}, err
	}
	d := &directive{Helper: httpcaddyfile.Helper{Dispenser: caddyfile.NewDispenser(tokens)}}
	if !d.Next() || d.Val() != "policy" {
		return policy.Rules{}, fmt.Errorf("%s must hold one policy, for example: policy unfamiliar { challenge 120 }, with its lines in the block", name)
	}
	b := &policyBlock{directive: d, replayed: true}
	p, err := b.read()
	if err != nil {
		return policy.Rules{}, err
	}
	if d.Nesting() > 0 {
		return policy.Rules{}, d.Err("the block of the policy has no end")
	}
	if d.Next() {
		return policy.Rules{}, d.Errf("one policy is replayed from a file; got '%s' after it", d.Val())
	}
	return p.Rules, nil
}
