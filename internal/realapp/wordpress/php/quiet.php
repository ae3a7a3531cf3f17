<?php
// A must-use plugin: a test's WordPress makes no request and sends no mail.
add_filter(
	'pre_http_request',
	function () {
		return new WP_Error( 'http_request_not_executed', 'A test makes no outgoing request.' );
	}
);
add_filter( 'pre_wp_mail', '__return_true' );
