// Package access finds out what an identity may really do in each place of a
// bucket, and holds it against what the mount takes for granted.
//
// # How each operation is asked
//
//	list       a listing of one key
//	stat, read HEAD and GET of an object that the listing has shown, else of a key that can not exist
//	create     PUT with If-None-Match: * and a Content-MD5 that is not the body's: refused after the rights are judged
//	overwrite  the same with an If-Match that can not hold; where that is denied without it
//	delete     DELETE with If-Match: * of a key that can not exist
//
// Keys of probes are random and new each time; no object of anybody is changed, and
// none is made unless [Config.MakeObjects] says so. A server that compares no digest
// stores a probe's byte, which is removed at once; where that fails it is told
// ([Report.Left]). Where conditions are ignored and the bucket keeps versions a
// delete marker of a probe's name stays: Amazon S3 is no such server.
//
// # What is certain
//
// Listings, PUT and DELETE are judged by the rights on the prefix or key alone,
// whether it exists or not: what they answer is certain. (If-Match: "…" on PUT needs
// s3:GetObject as well, hence the second question; If-Match: * on DELETE does not.
// Source: S3 user guide, "Enforce conditional writes", "Enforce conditional deletes".) 200 and 404 to HEAD and GET grant the right. 403 refuses it where the
// object exists, and where the server tells who may not list that a key is absent
// (versitygw does, to everybody). Amazon S3 answers 403 for a key that does not exist to who may not list the whole
// bucket, as Amplify's roles may not: then the message tells, if it names the action
// that was refused, else the answer is "probably not" where nothing may be listed and
// "unknown" where the place is empty.
package access
