package amplify

// manual reads what is given to Amplify.configure by hand: version 1 to 5 has its keys in Auth and Storage.AWSS3 (or
// in Storage alone), version 6 in Auth.Cognito and Storage.S3. Source: the guides "Manual setup" and "Use existing resources".
func (r *reader) manual(c cursor) {
	a := r.app
	auth, storage := c.get("Auth"), c.get("Storage")
	if cognito := auth.get("Cognito"); cognito.there() {
		r.cognito(cognito)
	} else {
		auth.get("region").str("Region", &a.Region)
		auth.get("identityPoolId").str("IdentityPool.ID", &a.IdentityPool.ID)
		auth.get("identityPoolRegion").str("IdentityPool.Region", &a.IdentityPool.Region)
		auth.get("userPoolId").str("UserPool.ID", &a.UserPool.ID)
		auth.get("userPoolWebClientId").str("UserPool.ClientID", &a.UserPool.ClientID)
		auth.get("authenticationFlowType").str("UserPool.AuthFlow", &a.UserPool.AuthFlow)
		auth.get("endpoint").url("Endpoints.UserPool", &a.Endpoints.UserPool)
		if signIn := auth.get("mandatorySignIn"); signIn.there() {
			yes, ok := signIn.yes()
			signIn.guests(ok && !yes, yes)
		}
	}
	s3 := storage.get("S3").or(storage.get("AWSS3")).or(storage)
	if !s3.there() {
		return
	}
	r.bucket(s3.get("bucket"), s3.get("region").or(auth.get("region")), s3.get("dangerouslyConnectToHttpEndpointForTesting"))
	s3.get("level").or(s3.get("defaultAccessLevel")).level()
	r.prefixes(s3.get("customPrefix"))
	if buckets := s3.get("buckets"); buckets.there() {
		r.manualBuckets(buckets)
	}
}

// cognito reads Auth.Cognito of version 6.
func (r *reader) cognito(c cursor) {
	a := r.app
	c.get("identityPoolId").str("IdentityPool.ID", &a.IdentityPool.ID)
	c.get("userPoolId").str("UserPool.ID", &a.UserPool.ID)
	c.get("userPoolClientId").str("UserPool.ClientID", &a.UserPool.ClientID)
	c.get("userPoolEndpoint").url("Endpoints.UserPool", &a.Endpoints.UserPool)
	c.get("identityPoolEndpoint").url("Endpoints.IdentityPool", &a.Endpoints.IdentityPool)
	if guests := c.get("allowGuestAccess"); guests.there() {
		yes, ok := guests.yes()
		guests.guests(yes, ok && !yes)
	}
	mfa := c.get("mfa")
	mfa.get("status").oneOf("MFA.Mode", &a.MFA.Mode, word{"off", "OFF"}, word{"optional", "OPTIONAL"}, word{"on", "ON"})
	for _, m := range [][2]string{{"smsEnabled", "SMS"}, {"totpEnabled", "TOTP"}} {
		if yes, _ := mfa.get(m[0]).yes(); yes {
			a.MFA.Methods = append(a.MFA.Methods, m[1])
		}
	}
	r.groups(c.get("groups"))
	in := c.get("loginWith")
	for _, w := range [][2]string{{"email", "email"}, {"phone", "phone_number"}} {
		if yes, _ := in.get(w[0]).yes(); yes {
			a.UsernameAttributes = append(a.UsernameAttributes, w[1])
		}
	}
}

// manualBuckets reads Storage.S3.buckets of version 6: named buckets, one of which is Storage.S3.bucket.
func (r *reader) manualBuckets(c cursor) {
	var all []named
	for _, m := range c.members() {
		all = append(all, named{
			name: m.name, nameAt: m.cursor, bucket: m.get("bucketName"), region: m.get("region"), paths: m.get("paths"),
		})
	}
	r.buckets(all)
}
