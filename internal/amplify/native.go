package amplify

import "strings"

// mobile reads amplifyconfiguration.json of iOS, Android and Flutter: plugins of categories, with the native
// configuration inside of that of sign-in. Source: amplify-cli's frontends for those.
func (r *reader) mobile(c cursor) {
	storage := c.get("storage", "plugins", "awsS3StoragePlugin")
	r.native(c.get("auth", "plugins", "awsCognitoAuthPlugin"), storage.get("bucket"), storage.get("region"))
	storage.get("defaultAccessLevel").level()
}

// native reads awsconfiguration.json. A bucket and region of the storage plugin come before those in it.
func (r *reader) native(c, bucket, region cursor) {
	a := r.app
	identities := c.get("CredentialsProvider", "CognitoIdentity", "Default")
	identities.get("PoolId").str("IdentityPool.ID", &a.IdentityPool.ID)
	identities.get("Region").str("IdentityPool.Region", &a.IdentityPool.Region)
	users := c.get("CognitoUserPool", "Default")
	users.get("PoolId").str("UserPool.ID", &a.UserPool.ID)
	users.get("AppClientId").str("UserPool.ClientID", &a.UserPool.ClientID)
	users.get("AppClientSecret").secret("UserPool.ClientSecret", &a.UserPool.ClientSecret)
	users.get("Region").str("UserPool.Region", &a.UserPool.Region)
	users.get("Region").str("Region", &a.Region)
	users.get("Endpoint").url("Endpoints.UserPool", &a.Endpoints.UserPool)
	auth := c.get("Auth", "Default")
	auth.get("authenticationFlowType").str("UserPool.AuthFlow", &a.UserPool.AuthFlow)
	auth.get("mfaConfiguration").oneOf("MFA.Mode", &a.MFA.Mode, word{"OFF", "OFF"}, word{"OPTIONAL", "OPTIONAL"}, word{"ON", "ON"})
	a.MFA.Methods = auth.get("mfaTypes").list(nil)
	for _, name := range auth.get("usernameAttributes").list(nil) {
		a.UsernameAttributes = append(a.UsernameAttributes, attribute(name))
	}
	s3 := c.get("S3TransferUtility", "Default")
	r.bucket(bucket.or(s3.get("Bucket")), region.or(s3.get("Region")), s3.get("DangerouslyConnectToHTTPEndpointForTesting"))
}

// attribute is the name of a user's attribute as Gen 2 has it; Gen 1 writes it in capitals.
func attribute(name string) string { return strings.ToLower(name) }

// url reads an address; without a scheme it is https, as the mobile libraries have it.
func (c cursor) url(field string, to *string) {
	c.str(field, to)
	if *to != "" && !strings.Contains(*to, "://") {
		*to = "https://" + *to
	}
}
