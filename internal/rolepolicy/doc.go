// Package rolepolicy renders the IAM policies of an Amplify app's roles: what
// somebody signed in, a guest or a group's member may do in the bucket. It is
// pure, and the one place that knows the statements; package levels knows the same
// rights as grants, and a property test holds both to each other.
//
// Sources: Amplify Storage guide v1, "Manual setup: IAM policies" (the
// statements); the Amplify CLI's S3 template (their names, what a subset of
// create, read, update and delete leaves of them, groups); amplify-backend's
// storage (rules of paths, see [Paths]). The list conditions follow custom
// prefixes, which the guide's own example of custom prefixes leaves out: with it
// no listing works.
//
// A key prefix may contain what IAM takes for a pattern (* ? $); it is written
// as the policy variables ${*}, ${?} and ${$}, which stand for the character
// itself. Source: IAM user guide, "IAM policy elements: Variables and tags".
package rolepolicy
