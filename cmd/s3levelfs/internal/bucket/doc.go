// Package bucket has the commands of those who own the bucket: init, policy, cors and access.
package bucket
