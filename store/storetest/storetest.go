// Package storetest is the suite that every engine of the store must pass: the
// sentences of package store, each as a test. An engine calls Run, and
// RunDurable if it keeps anything after it was closed.
package storetest

import (
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// test is one sentence of the contract.
type test struct {
	name string
	run  func(t *testing.T, f *fixture)
}

// Run runs the suite. open returns an empty store, and closes it when the test
// that it is given has ended. All times that the suite gives are now or later
// by the machine's clock, so that an engine which removes what has expired by
// a clock of its own removes nothing too early.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	groups := []struct {
		name  string
		tests []test
	}{
		{"Accounts", accountTests()},
		{"Lines", lineTests()},
		{"Sessions", sessionTests()},
		{"Begin", beginTests()},
		{"Attempts", attemptTests()},
		{"Pass", passTests()},
		{"Sends", sendTests()},
		{"StepUps", stepUpTests()},
		{"Values", valueTests()},
		{"Observations", observationTests()},
		{"Histories", historyTests()},
		{"Devices", deviceTests()},
		{"Tries", tryTests()},
		{"Changes", changeTests()},
		{"Changes in sessions", changeInSessionTests()},
		{"Changes with enrolments", changeEnrolledTests()},
		{"Demands", demandTests()},
		{"Erase", eraseTests()},
		{"Enrolments", enrolmentTests()},
		{"Enrolment sends", enrolmentSendTests()},
		{"Enrolling", enrollingTests()},
		{"Confirm", confirmTests()},
		{"Recovery", recoveryTests()},
		{"Outbox", outboxTests()},
		{"Engine", engineTests()},
		{"Expiry", expiryTests()},
		{"Races", asTests(raceTests())},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, tt := range g.tests {
				t.Run(tt.name, func(t *testing.T) {
					tt.run(t, newFixture(t, open(t)))
				})
			}
		})
	}
}

func asTests(races []raceTest) []test {
	var tests []test
	for _, r := range races {
		tests = append(tests, test{r.name, r.run})
	}
	return tests
}
