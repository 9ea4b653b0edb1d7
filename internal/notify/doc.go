// Package notify tells the person at this machine of what no program is told: a conflict, an upload that failed, changes
// whose base is gone. It runs notify-send or a command of the user's, one at a time, and never makes anybody wait: what
// comes too fast is counted and told along with what follows.
package notify
