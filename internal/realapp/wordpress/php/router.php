<?php
// Does for PHP's own web server what a web server's rewrite rules do for
// WordPress: a file is served, a script is run, with anything after its name as
// its PATH_INFO, and every other path goes to index.php.
$root = $_SERVER['DOCUMENT_ROOT'];
$path = rawurldecode( (string) parse_url( 'http://host' . $_SERVER['REQUEST_URI'], PHP_URL_PATH ) );

$script = preg_match( '~^(.*?\.php)(?:/|$)~', $path, $found ) ? $found[1] : $path;
if ( is_file( $root . $script ) ) {
	return false;
}
if ( is_dir( $root . $path ) && is_file( $root . rtrim( $path, '/' ) . '/index.php' ) ) {
	if ( '/' !== substr( $path, -1 ) ) {
		header( 'Location: ' . $path . '/', true, 301 );
		return true;
	}
	return false;
}
$_SERVER['SCRIPT_NAME']     = '/index.php';
$_SERVER['PHP_SELF']        = '/index.php';
$_SERVER['SCRIPT_FILENAME'] = $root . '/index.php';
unset( $_SERVER['PATH_INFO'] );
chdir( $root );
require $root . '/index.php';
return true;
