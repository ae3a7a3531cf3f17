package account

// MaxTeam is the largest length of a team's name in bytes.
const MaxTeam = 128

// TeamKey is what teams are told apart by: that of their names which is left by
// [Fold], since apps take "Acme" and "ACME " as one too, and a member must not
// leave a team by another spelling of it. It is empty for what is no name.
func TeamKey(name string) string { return Fold(name) }

// InTeam reports whether the user belongs to a team, in whatever spelling of its
// name. Nobody belongs to one without a name.
func (a *Account) InTeam(name string) bool {
	key := TeamKey(a.Team)
	return key != "" && key == TeamKey(name)
}
