package policy

import "strconv"

const (
	// hoursFrom is from how many logins on an account has usual hours.
	hoursFrom = 20
	// hoursAround is how many hours before and after one belong to it: people
	// come early and late, and summer time shifts all by one.
	hoursAround = 2
	// hoursShare is how many logins, in percent, an hour with those around it
	// must have had to be usual.
	hoursShare = 3
)

// unusualHour is an hour of the day at which the account is hardly ever used.
type unusualHour struct{}

func (unusualHour) look(f *Facts, h *History) finding {
	total := 0
	for _, n := range h.Hours {
		total += n
	}
	if total < hoursFrom {
		return quiet("too few logins to know the usual hours")
	}
	hour, near := f.Time.UTC().Hour(), 0
	for d := -hoursAround; d <= hoursAround; d++ {
		near += h.Hours[(hour+d+24)%24]
	}
	if near*100 >= hoursShare*total {
		return quiet("a usual hour")
	}
	return finding{Seen, strconv.Itoa(near) + " of " + strconv.Itoa(total) + " logins were around " + strconv.Itoa(hour) + ":00 UTC"}
}
