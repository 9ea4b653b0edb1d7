// Package faultstore decorates a store so that chosen calls fail, stall, are cut
// off or are applied without an answer. It is for tests.
//
// A [Rule] says which calls (op, key, the n-th one, how many) get which [Fault];
// the first rule that matches a call decides. Rules, faults and calls print
// themselves, so that a failing test can name its scenario. [Sweep] fails the
// n-th call of a scenario for n = 1, 2, … until the scenario makes fewer.
//
// Failures have the shape that s3store gives them: a *[store.Error] with op, key,
// code, HTTP status and kind, Unanswered where the outcome is unknown (no answer
// or a 5xx). As reads are retried inside a provider, a faulty read stands for one
// whose attempts have all failed. A page of a listing is a call of its own.
//
// It owns no goroutine. Locks: Store.mu alone, a leaf; hooks, actions and the
// decorated store are called without it. Waiting is on channels made in the call
// that waits, so that it is durable in a testing/synctest bubble.
package faultstore
