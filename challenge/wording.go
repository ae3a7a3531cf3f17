package challenge

import (
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// Languages is the wording in English, German, French, Spanish, Portuguese and
// Arabic; in English for every other language. A text message takes one segment
// of 160 characters only in the GSM 7-bit alphabet (3GPP TS 23.038), so letters
// outside of it stand there without their accents, as people know it from other
// texts. Arabic has no letter in that alphabet.
type Languages struct{}

// Prose implements [Wording].
func (Languages) Prose(lang string, purpose account.Purpose, site, action string) string {
	base, _, _ := strings.Cut(lang, "-")
	w, ok := wordings[base]
	if !ok {
		w = wordings["en"]
	}
	what, at := w.signIn, w.to
	switch purpose {
	case account.PurposeEnrolment:
		what, at = w.add, w.at
	case account.PurposeStepUp:
		what, at = w.goOn, w.at
		if action != "" {
			what = strings.Replace(w.action, "{action}", action, 1)
		}
	}
	if site != "" {
		what += at + site
	}
	return w.is + what + w.secret
}

// words is the wording of one language. A text is is, then signIn, add, goOn or
// action, then to (a sign-in) or at with the site, then secret.
type words struct {
	is, signIn, to        string
	add, goOn, action, at string
	secret                string
}

var wordings = map[string]words{
	"en": {
		is: "is your code to ", signIn: "sign in", to: " to ",
		add: "add this phone", goOn: "go on", action: "{action}", at: " at ",
		secret: ". Do not share it with anyone.",
	},
	"de": {
		is: "ist Ihr Code ", signIn: "zur Anmeldung", to: " bei ",
		add: "zum Hinzufügen dieses Telefons", goOn: "zum Fortfahren", action: `für "{action}"`, at: " bei ",
		secret: ". Teilen Sie ihn niemandem mit.",
	},
	"fr": {
		is: "est votre code pour ", signIn: "vous connecter", to: " à ",
		add: "ajouter ce téléphone", goOn: "continuer", action: "{action}", at: " sur ",
		secret: ". Ne le donnez à personne.",
	},
	"es": {
		is: "es su codigo para ", signIn: "iniciar sesion", to: " en ",
		add: "añadir este telefono", goOn: "continuar", action: "{action}", at: " en ",
		secret: ". No lo comparta con nadie.",
	},
	"pt": {
		is: "é seu codigo para ", signIn: "entrar", to: " em ",
		add: "adicionar este telefone", goOn: "continuar", action: "{action}", at: " em ",
		secret: ". Nao o informe a ninguém.",
	},
	"ar": {
		is: "رمزك ", signIn: "لتسجيل الدخول", to: " إلى ",
		add: "لإضافة هذا الهاتف", goOn: "للمتابعة", action: "من أجل «{action}»", at: " في ",
		secret: ". لا تعطه لأحد.",
	},
}
