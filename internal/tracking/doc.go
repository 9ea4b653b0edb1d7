// Package tracking sends the events that AWS Amplify Storage records of its calls with `track: true`, as Amplify's analytics gives them to
// its providers: the event "Storage" with the attributes method and result, and with the size of a download as its metric. They go in
// batches to one [Sink]. Whoever tracks never waits and never fails because of it: what finds no room, or is refused for good, is counted.
//
// An event holds no key, no identity, no URL and no secret.
package tracking
