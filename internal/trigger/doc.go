// Package trigger runs commands of the user's when objects come and go, as an Amplify project's Lambda functions run on the bucket's events:
// a command gets on its standard input the document that Amazon S3 gives a function ({"Records":[…]}), of one change.
//
// Commands run beside the file system, a bounded number at a time and each for a bounded time; what waits for its turn is bounded as well.
// Nobody waits for them, and what they fail at is logged and counted.
package trigger
