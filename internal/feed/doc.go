// Package feed tells listeners what happens in a mount, as it happens: uploads, removals, conflicts, failures, logins. Who tells never waits:
// each listener has a bounded queue, and one that reads too slowly loses events and is told how many.
package feed
