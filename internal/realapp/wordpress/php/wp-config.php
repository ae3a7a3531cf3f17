<?php
// The configuration of a test's WordPress. What differs from site to site lies
// in settings.json, one folder up.
$settings = json_decode( file_get_contents( dirname( __DIR__ ) . '/settings.json' ), true );

define( 'DB_NAME', 'wordpress' );
define( 'DB_USER', 'root' );
define( 'DB_PASSWORD', '' );
define( 'DB_HOST', 'localhost:' . $settings['socket'] );
define( 'DB_CHARSET', 'utf8mb4' );
foreach ( $settings['salts'] as $name => $value ) {
	define( $name, $value );
}
$table_prefix = 'wp_';

define( 'WP_HOME', $settings['address'] );
define( 'WP_SITEURL', $settings['address'] );

// A TLS front speaks plain HTTP to WordPress and says so in this header, as
// Debian's own configuration has it.
if ( isset( $_SERVER['HTTP_X_FORWARDED_PROTO'] ) && 'https' === $_SERVER['HTTP_X_FORWARDED_PROTO'] ) {
	$_SERVER['HTTPS'] = 'on';
}

// Without TLS, application passwords work in this kind of environment only.
define( 'WP_ENVIRONMENT_TYPE', 'local' );

// Nothing runs by itself, and nothing asks the Internet.
define( 'DISABLE_WP_CRON', true );
define( 'AUTOMATIC_UPDATER_DISABLED', true );
define( 'WP_AUTO_UPDATE_CORE', false );
define( 'WP_HTTP_BLOCK_EXTERNAL', true );
define( 'FS_METHOD', 'direct' );

if ( ! defined( 'ABSPATH' ) ) {
	define( 'ABSPATH', __DIR__ . '/' );
}
require_once ABSPATH . 'wp-settings.php';
