package policy

import (
	"math"
	"strconv"
	"time"
)

// The bounds of a journey that somebody can make.
const (
	// slack is how far apart, in km and beyond both places' radii, two logins can
	// be at any time: databases err.
	slack = 300
	// fastest is the speed of an airliner in km/h.
	fastest = 900
	// earth is the radius of the earth in km.
	earth = 6371
)

// impossibleTravel is a place that nobody can have reached since the last
// login. It only raises: a possible journey says nothing for a login. Egress
// networks are left out, since the traffic of many places comes out of them.
type impossibleTravel struct{}

func (impossibleTravel) look(f *Facts, h *History) finding {
	switch {
	case f.Place.Egress:
		return quiet("left out: a known egress network")
	case !f.Place.Located:
		return finding{Unknown, "the place is unknown"}
	case h.Place.At.IsZero():
		return quiet("no place to compare with")
	}
	far := distance(f.Place.Latitude, f.Place.Longitude, h.Place.Latitude, h.Place.Longitude) -
		float64(f.Place.Radius) - float64(h.Place.Radius)
	if far <= slack {
		return quiet("near the last place")
	}
	km := strconv.Itoa(int(far)) + " km from the last place"
	took := max(f.Time.Sub(h.Place.At), time.Minute)
	if far/took.Hours() <= fastest {
		return quiet("a possible journey, " + km)
	}
	return finding{Seen, km + " in " + took.Round(time.Minute).String()}
}

// distance is the length of the great circle between two points, in km; by the
// haversine formula, whose errors are far below any accuracy here.
func distance(lat1, lon1, lat2, lon2 float64) float64 {
	const rad = math.Pi / 180
	lat, lon := math.Sin((lat2-lat1)*rad/2), math.Sin((lon2-lon1)*rad/2)
	a := lat*lat + math.Cos(lat1*rad)*math.Cos(lat2*rad)*lon*lon
	return 2 * earth * math.Asin(math.Min(1, math.Sqrt(a)))
}
