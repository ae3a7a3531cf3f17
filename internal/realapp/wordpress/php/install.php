<?php
// Makes the database, the tables, two users and two posts, as the pages of
// wp-admin/install.php would.
$settings = json_decode( file_get_contents( __DIR__ . '/settings.json' ), true );
$site     = $settings['site'];

mysqli_report( MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT );
( new mysqli( 'localhost', 'root', '', '', 0, $settings['socket'] ) )->query( 'CREATE DATABASE wordpress CHARACTER SET utf8mb4' );

$_SERVER['HTTP_HOST']       = parse_url( $settings['address'], PHP_URL_HOST );
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
$_SERVER['REQUEST_METHOD']  = 'GET';
define( 'WP_INSTALLING', true );
require __DIR__ . '/www/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';

wp_install( 'A real WordPress', $site['Admin'], 'admin@example.org', true, '', $site['AdminPassword'] );

global $wp_rewrite;
$wp_rewrite->set_permalink_structure( '/%postname%/' );
$wp_rewrite->flush_rules( false );
update_option( 'comment_previously_approved', 0 );

$editor = wp_insert_user(
	array(
		'user_login' => $site['Editor'],
		'user_pass'  => $site['EditorPassword'],
		'user_email' => $site['EditorMail'],
		'role'       => 'editor',
	)
);
$secret = wp_insert_post(
	array(
		'post_title'    => 'For friends',
		'post_name'     => trim( $site['SecretPath'], '/' ),
		'post_content'  => $site['SecretText'],
		'post_status'   => 'publish',
		'post_password' => $site['PostPassword'],
		'post_author'   => 1,
	),
	true
);
foreach ( array( $editor, $secret ) as $made ) {
	if ( is_wp_error( $made ) ) {
		fwrite( STDERR, $made->get_error_message() . "\n" );
		exit( 1 );
	}
}
list( $password ) = WP_Application_Passwords::create_new_application_password( $editor, array( 'name' => 'test' ) );
echo 'application password: ', $password, "\n";
