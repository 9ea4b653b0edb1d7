// Package s3store is the [store.Store] on Amazon S3 and the servers that speak
// its protocol, by aws-sdk-go-v2. It registers the provider AWSS3, also by the name s3.
//
// It owns the HTTP transport, signing, the retries of reads and the mapping of
// answers to [*store.Error]. It does not own: splitting an object into parts,
// repeating a write, resuming a body that broke off, caching.
//
// Rules:
//
//   - Reads are attempted [Config.MaxAttempts] times in all, with full-jitter
//     delays of 100 ms·2^i; there is no token bucket that could starve a retry.
//     A read that keeps failing ends within [Timeouts.ReadTotal].
//   - Writes are sent once. The one exception: a request refused because of the
//     clock (RequestTimeTooSkewed and kin, server's Date more than 4 minutes
//     away) was not applied, and is sent a second time with the corrected clock.
//   - Nothing waits without a bound: every phase of an exchange (connection,
//     body going out, answer, body coming in) has a watchdog of its own, see
//     [Timeouts].
//   - HeadBucket, ListBuckets and a listing without a prefix are never sent on
//     the package's own account: the Amplify roles do not grant them.
//   - Keys, not secrets, are in errors; headers and URLs are in neither errors
//     nor logs.
//
// A [Store] has no lock and no goroutine of its own; all its calls may be made
// concurrently.
package s3store
