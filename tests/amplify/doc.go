// Package amplify lets the real Amplify Storage client, as npm has it, and a mount work in one bucket: what one writes the other reads.
package amplify
