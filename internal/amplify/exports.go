package amplify

// exports reads the flat keys of aws-exports.js. Source: amplify-cli's frontend for JavaScript; Amplify JS parseAWSExports.
func (r *reader) exports(c cursor) {
	a := r.app
	project := c.get("aws_project_region")
	project.str("Region", &a.Region)
	c.get("aws_cognito_identity_pool_id").str("IdentityPool.ID", &a.IdentityPool.ID)
	c.get("aws_cognito_region").str("IdentityPool.Region", &a.IdentityPool.Region)
	c.get("aws_user_pools_id").str("UserPool.ID", &a.UserPool.ID)
	c.get("aws_user_pools_web_client_id").str("UserPool.ClientID", &a.UserPool.ClientID)
	if c := c.get("aws_mandatory_sign_in"); c.there() {
		var said string
		c.oneOf("Guests", &said, word{"enable", "yes"}, word{"disable", "no"})
		c.guests(said == "no", said == "yes")
	}
	c.get("aws_cognito_mfa_configuration").oneOf("MFA.Mode", &a.MFA.Mode, word{"OFF", "OFF"}, word{"OPTIONAL", "OPTIONAL"}, word{"ON", "ON"})
	a.MFA.Methods = c.get("aws_cognito_mfa_types").list(nil)
	for _, name := range c.get("aws_cognito_username_attributes").list(nil) {
		a.UsernameAttributes = append(a.UsernameAttributes, attribute(name))
	}
	r.bucket(c.get("aws_user_files_s3_bucket"), c.get("aws_user_files_s3_bucket_region").or(project),
		c.get("aws_user_files_s3_dangerously_connect_to_http_endpoint_for_testing"))
}
