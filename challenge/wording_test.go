package challenge

import (
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/sms"
)

func TestATextIsInTheLanguageOfThePage(t *testing.T) {
	tests := []struct {
		lang, signIn, stepUp, add string
	}{
		{"en", "is your code to sign in to crm. Do not share it with anyone.", "is your code to do it at crm. Do not share it with anyone.", "is your code to add this phone at crm. Do not share it with anyone."},
		{"de", "ist Ihr Code zur Anmeldung bei crm. Teilen Sie ihn niemandem mit.", `ist Ihr Code für "do it" bei crm. Teilen Sie ihn niemandem mit.`, "ist Ihr Code zum Hinzufügen dieses Telefons bei crm. Teilen Sie ihn niemandem mit."},
		{"fr", "est votre code pour vous connecter à crm. Ne le donnez à personne.", "est votre code pour do it sur crm. Ne le donnez à personne.", "est votre code pour ajouter ce téléphone sur crm. Ne le donnez à personne."},
		{"es", "es su codigo para iniciar sesion en crm. No lo comparta con nadie.", "es su codigo para do it en crm. No lo comparta con nadie.", "es su codigo para añadir este telefono en crm. No lo comparta con nadie."},
		{"pt-BR", "é seu codigo para entrar em crm. Nao o informe a ninguém.", "é seu codigo para do it em crm. Nao o informe a ninguém.", "é seu codigo para adicionar este telefone em crm. Nao o informe a ninguém."},
		{"ar", "رمزك لتسجيل الدخول إلى crm. لا تعطه لأحد.", "رمزك من أجل «do it» في crm. لا تعطه لأحد.", "رمزك لإضافة هذا الهاتف في crm. لا تعطه لأحد."},
		{"de-AT", "ist Ihr Code zur Anmeldung bei crm. Teilen Sie ihn niemandem mit.", `ist Ihr Code für "do it" bei crm. Teilen Sie ihn niemandem mit.`, "ist Ihr Code zum Hinzufügen dieses Telefons bei crm. Teilen Sie ihn niemandem mit."},
		{"zh", "is your code to sign in to crm. Do not share it with anyone.", "is your code to do it at crm. Do not share it with anyone.", "is your code to add this phone at crm. Do not share it with anyone."},
		{"", "is your code to sign in to crm. Do not share it with anyone.", "is your code to do it at crm. Do not share it with anyone.", "is your code to add this phone at crm. Do not share it with anyone."},
	}
	for _, tt := range tests {
		const last = "\n\n@crm.test #012345"
		if got, want := Text(Languages{}, tt.lang, account.PurposeLogin, "crm", "crm.test", "012345", ""), "012345 "+tt.signIn+last; got != want {
			t.Errorf("%s: got %q, want %q", tt.lang, got, want)
		}
		if got, want := Text(Languages{}, tt.lang, account.PurposeStepUp, "crm", "crm.test", "012345", "do it"), "012345 "+tt.stepUp+last; got != want {
			t.Errorf("%s: got %q, want %q", tt.lang, got, want)
		}
		if got, want := Text(Languages{}, tt.lang, account.PurposeEnrolment, "crm", "crm.test", "012345", ""), "012345 "+tt.add+last; got != want {
			t.Errorf("%s: got %q, want %q", tt.lang, got, want)
		}
	}
}

func TestATextOfEveryLanguageKeepsItsLastLineAndItsSegments(t *testing.T) {
	label := strings.Repeat("a", 50)
	for lang, w := range wordings {
		inGSM := lang != "ar"
		for _, purpose := range []account.Purpose{account.PurposeLogin, account.PurposeStepUp, account.PurposeEnrolment} {
			prose := Languages{}.Prose(lang, purpose, "", "")
			n, ok := sms.Septets(prose)
			limit := 60
			if purpose == account.PurposeEnrolment {
				limit = 75 // No action takes room in it.
			}
			if ok != inGSM || n > limit {
				t.Errorf("%s: %q takes %d septets (%v), want at most %d without site and action", lang, prose, n, ok, limit)
			}
			for _, host := range []string{"crm.example.com", "a-longer-name.customers.example.com", label + ".example.com"} {
				for _, action := range []string{"", "export all contacts", strings.Repeat("x", 60)} {
					text := Text(Languages{}, lang, purpose, host, host, "012345", action)
					most := 1
					if !inGSM && len(host) > 20 {
						most = 2
					}
					if got := sms.Segments(text); got > most {
						t.Errorf("%s: %q takes %d segments, want at most %d", lang, text, got, most)
					}
					if !strings.HasPrefix(text, "012345 ") || !strings.HasSuffix(text, "\n\n@"+host+" #012345") {
						t.Errorf("%s: %q does not begin with the code and end with the host's line", lang, text)
					}
					if !strings.Contains(text, strings.TrimSpace(w.secret)) {
						t.Errorf("%s: %q does not say that the code is not to be shared", lang, text)
					}
				}
			}
		}
	}
}

func TestATextInTwoSegmentsIsOnlyThatOfAnotherAlphabet(t *testing.T) {
	host := strings.Repeat("a", 60) + "." + strings.Repeat("b", 60) + ".example.com"
	for lang := range wordings {
		text := Text(Languages{}, lang, account.PurposeLogin, "crm", host, "012345", "")
		if sms.Segments(text) != 1 || strings.Contains(text, "@") {
			t.Errorf("%s: %q takes %d segments, want one without the host's line", lang, text, sms.Segments(text))
		}
	}
}
