package daemon

// ballast is memory that nobody touches, so that it is never resident. Go collects garbage when the heap has doubled, and the services keep
// so little that under load they would do so a hundred times a second, which took a fifth of what the HTTP bridge can do. With it they
// do so every 64 MB.
const ballast = 64 << 20

// Ballast makes a heap that is collected less often while it is kept alive:
//
//	defer runtime.KeepAlive(daemon.Ballast())
func Ballast() []byte { return make([]byte, ballast) }
