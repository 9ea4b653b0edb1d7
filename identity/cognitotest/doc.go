// Package cognitotest is a Cognito for tests: user pool and identity pool behind one URL, with the protocol done for real on
// the server's side. SRP is verified with a verifier, codes of authenticator apps are computed (RFC 6238), tokens are signed
// JWTs whose signature, issuer, audience and expiry the identity pool checks, refresh tokens rotate and tell their reuse.
//
// What it hands out as AWS credentials is set for each identity, so that a real S3 server can stand behind each. It logs
// nothing; [Server.Secrets] lists every secret that it gave or got, for tests that look for them.
package cognitotest
