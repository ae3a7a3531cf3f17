package handler

// What an operator did to one account: the results of OperatorActed that its
// commands have.
const (
	ActShown          Result = "account_shown"
	ActSearched       Result = "accounts_searched"
	ActAdded          Result = "account_added"
	ActChanged        Result = "account_changed"
	ActErased         Result = "erased"
	ActExported       Result = "data_exported"
	ActDemanded       Result = "demanded"
	ActDemandEnded    Result = "demand_ended"
	ActDemandsListed  Result = "demands_listed"
	ActOffAllowed     Result = "off_allowed"
	ActOffForbidden   Result = "off_forbidden"
	ActExempted       Result = "exempted"
	ActExemptionEnded Result = "exemption_ended"
	ActSuspended      Result = "suspended"
	ActActivated      Result = "activated"
	ActUnlocked       Result = "unlocked"
	ActReset          Result = "factors_reset"
	ActInvited        Result = "invited"
	ActSessionsListed Result = "sessions_listed"
	ActSessionsEnded  Result = "sessions_ended"
)

// UserDeleted is OWASP's word for an account that was removed.
const UserDeleted Kind = "user_deleted"

// ByOperator is the result of an account that an operator's command has made,
// changed or removed.
const ByOperator Result = "operator"

func operatorResults() []Result {
	return []Result{
		Imported, ImportRefused, Listed, Explained, SessionsRevoked, DevicesListed, DevicesForgotten,
		ActShown, ActSearched, ActAdded, ActChanged, ActErased, ActExported, ActDemanded, ActDemandEnded, ActDemandsListed,
		ActOffAllowed, ActOffForbidden, ActExempted, ActExemptionEnded, ActSuspended, ActActivated, ActUnlocked, ActReset,
		ActInvited, ActSessionsListed, ActSessionsEnded,
	}
}
