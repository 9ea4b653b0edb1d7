// Package peruser keeps one mount for each user of this machine who asks for one: it starts them, counts them, ends those that nobody
// uses, and notices when one has gone.
//
// [Table] decides; it knows neither processes nor the kernel, and is tested on a false clock. [Spawner] starts the mounts as
// processes of their users, and finds those again that an earlier front has left.
//
// # Locks
//
// Table.mu is a leaf: it is never held over a start, a question or a wait.
package peruser
