package page

// remedies says which of the page's buttons help now.
func (p ChallengePage) remedies(sp *speaker) [][]part {
	var lines [][]part
	switch {
	case p.canSend() && p.sendKey() == "challenge.send.again":
		lines = append(lines, sp.say("remedy.again"))
	case p.canSend():
		lines = append(lines, sp.say("remedy.send"))
	}
	if p.OtherWay != "" {
		lines = append(lines, sp.say("remedy.other"))
	}
	switch {
	case len(lines) > 0:
	case p.Problem == TooManyTries:
		lines = append(lines, sp.say("remedy.sign_in"))
	default:
		lines = append(lines, sp.say("remedy.cancel"))
	}
	return lines
}
