package cookie

// What parsers make of one Cookie header line. The vectors were obtained by
// running the parsers by hand, each with the lines below:
//
//   - php: PHP 8.2.36, its built-in server with a script that prints $_COOKIE;
//   - python: http.cookies.SimpleCookie of Python 3.11 and, under django,
//     django.http.cookie.parse_cookie of Debian's python3-django;
//   - rack: Rack::Utils.parse_cookies_header of Rack 2.2.22; oldRack is
//     Rack::Utils.parse_query(line, ';,') of the same, what Rack 1 did with
//     every Cookie line;
//   - express: the npm module cookie, 0.3.1, 0.7.1 and 1.1.1, which differ only
//     for a quoted value (1.1.1 is given) and for a no-break space at a name
//     (0.3.1 trims it).
//
// A reading is written as its pairs, name=value, in order, joined with '|';
// "!" is an exception. A PHP array is written as its own name and "{}".
type vector struct {
	line                                        string
	php, python, django, rack, oldRack, express string
}

var vectors = []vector{
	{"a=1; b=2", "a=1|b=2", "a=1|b=2", "a=1|b=2", "a=1|b=2", "a=1|b=2", "a=1|b=2"},
	{"sid=1; sid=2", "sid=1", "sid=2", "sid=2", "sid=1", "sid=1,2", "sid=1"},
	{"sid =1", "sid_=1", "sid=1", "sid=1", "sid =1", "sid =1", "sid=1"},
	{"s.id=1", "s_id=1", "s.id=1", "s.id=1", "s.id=1", "s.id=1", "s.id=1"},
	{"s%69d=1", "s%69d=1", "s%69d=1", "s%69d=1", "s%69d=1", "sid=1", "s%69d=1"},
	{"s+id=1", "s+id=1", "s+id=1", "s+id=1", "s+id=1", "s id=1", "s+id=1"},
	{"sid[x]=1", "sid{}", "", "sid[x]=1", "sid[x]=1", "sid[x]=1", "sid[x]=1"},
	{"sid[x=1", "sid_x=1", "", "sid[x=1", "sid[x=1", "sid[x=1", "sid[x=1"},
	{"sid", "sid=", "", "=sid", "sid=", "sid=", ""},
	{"=1", "", "", "=1", "=1", "=1", "=1"},
	{"sid==1", "sid==1", "sid==1", "sid==1", "sid==1", "sid==1", "sid==1"},
	{"pref=x,sid=1", "pref=x,sid=1", "pref=x,sid=1", "pref=x,sid=1", "pref=x,sid=1", "pref=x|sid=1", "pref=x,sid=1"},
	{"pref=x, sid=1", "pref=x, sid=1", "pref=x,|sid=1", "pref=x, sid=1", "pref=x, sid=1", "pref=x|sid=1", "pref=x, sid=1"},
	{"pref=x sid=1", "pref=x sid=1", "pref=x|sid=1", "pref=x sid=1", "pref=x sid=1", "pref=x sid=1", "pref=x sid=1"},
	{`pref="x; sid=1"`, `pref="x|sid=1"`, "pref=x; sid=1", `pref="x|sid=1"`, `pref="x|sid=1"`, `pref="x|sid=1"`, `pref="x|sid=1"`},
	{"sid\xc2\xa0=1", "sid\xc2\xa0=1", "", "sid=1", "sid\xc2\xa0=1", "sid\xc2\xa0=1", "sid\xc2\xa0=1"},
	{"pref,sid=1", "pref,sid=1", "!", "pref,sid=1", "pref,sid=1", "pref=|sid=1", "pref,sid=1"},
}

// How PHP 8.2.36 names a cookie, "" for none; obtained like the vectors.
var phpNames = []struct{ name, php string }{
	{"sid", "sid"}, {" sid", "sid"}, {"\tsid", "sid"}, {"\vsid", "sid"},
	{"sid ", "sid_"}, {"sid\t", "sid\t"}, {"s id", "s_id"}, {"s.id", "s_id"}, {".sid", "_sid"},
	{"[sid", ""}, {"[sid]", ""}, {"[]", ""}, {" [x]", ""},
	{"sid[x", "sid_x"}, {"sid[", "sid_"}, {"sid[]", "sid"}, {"sid[x]", "sid"}, {"sid[x]y", "sid"},
	{"sid[x][y]", "sid"}, {"sid[x][y", "sid"}, {"sid[x.y", "sid_x_y"}, {"sid[x.y z[", "sid_x_y_z_"},
	{"sid[x y].z", "sid"}, {"sid.x[y]", "sid_x"}, {"sid]x", "sid]x"}, {"si]d[x]", "si]d"},
	{"a[b[c]", "a"}, {"a[[b]", "a"}, {"a[ b]", "a"},
	{"s%69d", "s%69d"}, {"s+id", "s+id"}, {"%20sid", "%20sid"}, {"sid%00x", "sid%00x"},
	{"__Host-x", "__Host-x"}, {"__Host.x", "__Host_x"}, {"\xa0sid", "\xa0sid"}, {"sid\v", "sid\v"},
}

// How PHP names a field whose name is percent-encoded, by parse_str of PHP
// 8.2.36: its cookies were read so as well until 7.2.34, 7.3.23 and 7.4.11.
var phpFieldNames = []struct{ name, php string }{
	{"a%5Bb", "a_b"}, {"a%5Bb.c", "a_b_c"}, {"sid%00x", "sid"}, {"%20sid", "sid"}, {"s+id", "s_id"},
	{"sid%5Bx%5D", "sid"}, {"%5Bsid", ""}, {"sid+", "sid_"}, {"%2e", "_"}, {"sid[x]", "sid"}, {"s%zzd", "s%zzd"},
	{"PHPSESSID", "PHPSESSID"},
}
