package twofactor

type flight struct{}

func roundChallenges() []round { return nil }
func roundParallel() []round   { return nil }
