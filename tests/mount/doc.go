// Package mount runs tests on real FUSE mounts.
//
// A mount never lives in the process that runs the tests: a process that uses
// its own mount can deadlock, and one that dies leaves the mount behind. The test binary
// executes itself three times instead, in roles:
//
//	test process ── init ──┬── daemon   serves the mount
//	                       └── worker   runs the same test function, on the mount
//
// init is process 1 of its own PID namespace and has its own mount namespace. So
// whatever happens (time-out, panic, the test process killed), the end of init
// ends daemon and worker and takes the mount with it. Nothing is ever mounted
// in the namespace of the test process; [Main] checks that.
//
//	func TestMain(m *testing.M) { os.Exit(mount.Main(m, mount.Roles{Daemons: …})) }
//
//	func TestRename(t *testing.T) {
//		mount.Run(t, mount.Options{Daemon: "mem"}, func(t *testing.T, m *mount.Mount) {
//			os.Rename(m.Path("private/a"), m.Path("private/b")) // in the worker
//		})
//	}
//
// It needs root (CAP_SYS_ADMIN) and /dev/fuse. Without them tests fail, they are
// not skipped.
package mount
