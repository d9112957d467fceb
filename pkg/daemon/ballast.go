package daemon

// ballast is memory that nobody touches, so that it is never resident. Go collects garbage when the heap has doubled, and a service keeps so
// little that under load it would do so sixty times a second, which took a sixth of what the HTTP bridge can do. The price is that 32 MB more
// of garbage come together before it is collected.
const ballast = 32 << 20

// Ballast makes a heap that is collected less often while it is kept alive:
//
//	defer runtime.KeepAlive(daemon.Ballast())
func Ballast() []byte { return make([]byte, ballast) }
