package natsd

import (
	"fmt"
	"sync"

	"go.uber.org/zap"
)

// logger brings the server's own log into ours. What the server calls fatal is an error of Start: it never ends the process.
type logger struct {
	log *zap.SugaredLogger

	mu    sync.Mutex
	fatal error // the first
}

func (l *logger) Noticef(format string, v ...any) { l.log.Debugf(format, v...) }
func (l *logger) Debugf(format string, v ...any)  { l.log.Debugf(format, v...) }
func (l *logger) Tracef(format string, v ...any)  { l.log.Debugf(format, v...) }
func (l *logger) Warnf(format string, v ...any)   { l.log.Warnf(format, v...) }
func (l *logger) Errorf(format string, v ...any)  { l.log.Errorf(format, v...) }

func (l *logger) Fatalf(format string, v ...any) {
	l.log.Errorf(format, v...)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal == nil {
		l.fatal = fmt.Errorf(format, v...)
	}
}

func (l *logger) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}
