package report

import "github.com/caddy-twofactor/caddy-twofactor/policy"

// data are the kinds of data that there were: one counts as there if any login
// was recorded with it.
func (g *Log) data() policy.Data {
	var d policy.Data
	for i := range g.logins {
		of := told(&g.logins[i].facts.Place)
		d.Country = d.Country || of.Country
		d.Location = d.Location || of.Location
		d.Network = d.Network || of.Network
		d.Anonymous = d.Anonymous || of.Anonymous
	}
	return d
}

// told are the kinds of data with which a place was recorded.
func told(p *policy.Place) policy.Data {
	return policy.Data{
		Country: p.CountryKnown || p.Country != "", Location: p.Located,
		Network: p.NetworkKnown || p.Network != 0, Anonymous: p.AnonymousKnown || p.Anonymous != "",
	}
}

// dataOf counts which data a login was recorded without. Where the traffic of
// many places comes out, a location would say nothing.
func (r *Report) dataOf(l *login) {
	if l.inSession || l.stranger || !l.known {
		return
	}
	d := told(&l.facts.Place)
	for signal, has := range map[string]bool{
		policy.NewCountry: d.Country, policy.NewNetwork: d.Network, policy.AnonymousNetwork: d.Anonymous,
		policy.ImpossibleTravel: d.Location || l.facts.Place.Egress,
	} {
		if !has {
			r.untold[signal]++
		}
	}
}

func were(n int) string {
	if n == 1 {
		return "1 login was"
	}
	return many(n, "login") + " were"
}
