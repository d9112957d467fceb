package daemon

import (
	"regexp"
	"runtime/debug"
	"strings"
)

// version is set by the linker: -ldflags "-X github.com/scoreflow/scoreflow/pkg/daemon.version=$(git describe --always --dirty)".
var version string

var semver = regexp.MustCompile(`^\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$`)

// Version is this build's, as a semantic version: what is only a commit becomes 0.0.0+<commit>.
func Version() string {
	build := version
	if info, ok := debug.ReadBuildInfo(); ok && build == "" {
		build = fromBuild(info)
	}
	return semantic(build)
}

func semantic(build string) string {
	if v := strings.TrimPrefix(build, "v"); semver.MatchString(v) {
		return v
	}
	if build == "" {
		build = "unknown"
	}
	return "0.0.0+" + build
}

func fromBuild(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
