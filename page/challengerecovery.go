package page

// input is the field of the code form.
func (p ChallengePage) input(sp *speaker, site arg, invalid bool) inputView {
	if p.Recovery {
		return codeInput(sp.say("challenge.code.recovery"), p.recoveryHint(sp), invalid).words()
	}
	return codeInput(sp.say("challenge.code", count(p.Digits)), p.hint(sp, site), invalid)
}

// recoveryHint stands under the label of the field for a recovery code.
func (p ChallengePage) recoveryHint(sp *speaker) []part {
	hint := sp.say("challenge.hint.recovery")
	if p.Left > 0 {
		hint = append(append(hint, part{Text: " "}), sp.say("challenge.hint.recovery.left", count(p.Left))...)
	}
	return hint
}

// lostKey names what the person may no longer have.
func (p ChallengePage) lostKey() string {
	switch {
	case p.Recovery:
		return "challenge.lost.recovery"
	case p.Phone != nil:
		return "challenge.lost.phone"
	}
	return "challenge.lost.authenticator"
}
