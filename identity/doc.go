// Package identity signs people of an Amplify app in: Amazon Cognito user pools give tokens for a name and a password,
// identity pools give AWS credentials for tokens, or for nobody (guests), and [Source] keeps those credentials fresh for
// a long-running program.
//
//	user pool:     SignIn -> tokens -> Tokens (system keyring, or a 0600 file)
//	identity pool: tokens -> identity id, credentials -> Source
//
// Nothing of a secret leaves it but by [Secret.Reveal] and in the requests that need it. Protocol facts come from the
// Cognito API references and from what Amplify JS sends.
package identity
