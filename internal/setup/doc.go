// Package setup says what a bucket needs that is to serve an Amplify app, and
// brings it there step by step: the bucket itself, the CORS rule without which
// browsers are kept out, and the lifecycle rule that aborts uploads in parts which
// nobody ends (Amplify's roles may not abort them). The roles' policies are package
// rolepolicy's.
//
// It changes nothing that is there already: rules of others stay, and an own rule
// gains what it lacks and loses nothing. S3 replaces a configuration as a whole and
// knows no condition there: of two changes at the same moment one is lost.
package setup
