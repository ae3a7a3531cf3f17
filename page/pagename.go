package page

// pageName names one template of the folder templates.
type pageName string

const (
	pageChallenge  pageName = "challenge"
	pageChoose     pageName = "choose"
	pageMessage    pageName = "message"
	pageContinue   pageName = "continue"
	pageEnrol      pageName = "enrol"
	pageConfirm    pageName = "confirm"
	pageEnrolApp   pageName = "enrolapp"
	pageEnrolPhone pageName = "enrolphone"
	pageEnrolCode  pageName = "enrolcode"
	pageRecovery   pageName = "recovery"
	pageSettings   pageName = "settings"
	pageSure       pageName = "sure"
	pageActivity   pageName = "activity"
	pageNotMe      pageName = "notme"
	pageTeam       pageName = "team"
)

// sheet names a style sheet that follows style.css, so that no page carries what only
// others need.
type sheet string

const (
	sheetSignIn sheet = "signin.css"
	sheetSetup  sheet = "setup.css"
	sheetCodes  sheet = "codes.css"
	sheetRows   sheet = "rows.css"
)

var sheets = []sheet{sheetSignIn, sheetSetup, sheetCodes, sheetRows}

// sheetOf is every page with its sheet.
var sheetOf = map[pageName]sheet{
	pageChallenge:  sheetSignIn,
	pageChoose:     sheetSignIn,
	pageMessage:    sheetSignIn,
	pageContinue:   sheetSignIn,
	pageEnrol:      sheetSignIn,
	pageConfirm:    sheetSignIn,
	pageEnrolApp:   sheetSetup,
	pageEnrolPhone: sheetSetup,
	pageEnrolCode:  sheetSignIn,
	pageRecovery:   sheetCodes,
	pageSettings:   sheetRows,
	pageSure:       sheetRows,
	pageActivity:   sheetRows,
	pageNotMe:      sheetRows,
	pageTeam:       sheetRows,
}
