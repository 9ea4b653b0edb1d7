// Package account has the commands that say who one is: login, logout and whoami.
package account
