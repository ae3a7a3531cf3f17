package storetest

// readsOnly are the methods that decide nothing, with the reason: they need no
// race. Every other method of the contract needs one in raceTests.
func readsOnly() map[string]string {
	return map[string]string{
		"Account":      "it reads",
		"ListAccounts": "it reads",
		"LineState":    "it reads",
		"Session":      "it reads",
		"Challenge":    "it reads",
		"Value":        "it reads",
		"ListSeen":     "it reads",
		"History":      "it reads",
		"Devices":      "it reads",
		"SessionsOf":   "it reads",
		"Demands":      "it reads",
		"Enrolment":    "it reads",
		"Waiting":      "it reads",
		"Tries":        "it reads",
		"Epoch":        "it says what was decided at the opening",
		"Close":        "it ends everything; see the tests of the engine",
	}
}

// timeless are the methods that are given no time, or to which nothing that
// they are asked about expires. Every other one needs a case in expiries.
func timeless() map[string]string {
	return map[string]string{
		"Account":             "accounts do not expire",
		"ListAccounts":        "accounts do not expire",
		"PutAccounts":         "accounts do not expire",
		"EndSession":          "it is given no time: a session that is over may be ended too",
		"EndSessions":         "it is given no time: sessions that are over may be ended too",
		"CancelSession":       "it is given no time: a session that is over may be cancelled too",
		"RecordSend":          "it is given no time: what became of a sending is noted whenever it is known",
		"ForgetDevices":       "it is given no time: a device that has expired may be forgotten too",
		"NoteSeen":            "the times are those of what was seen: nothing is judged by them",
		"NoteTry":             "the time is that of the try: nothing is judged by it",
		"History":             "a history does not expire: it is aged",
		"LearnHistory":        "a history does not expire: it is aged",
		"AgeHistories":        "it is given no time: its function knows it",
		"EraseAccount":        "accounts do not expire",
		"Demands":             "demands do not expire",
		"ChangeDemands":       "demands do not expire",
		"DropEnrolment":       "it is given no time: an enrolment that has expired may be dropped too",
		"PutNotices":          "it is given no time: its notices say when they are due",
		"SettleNotice":        "it is given no time: a notice that has expired may be settled too",
		"RecordEnrolmentSend": "it is given no time: what became of a sending is noted whenever it is known",
		"Epoch":               "it is given no time",
		"Close":               "it is given no time",
	}
}
