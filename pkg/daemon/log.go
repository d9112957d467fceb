package daemon

import (
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Log is how a process logs, always to standard error.
type Log struct {
	LogLevel  string `help:"What is logged: ${enum}." enum:"debug,info,warn,error" default:"info"`
	LogFormat string `help:"How it is logged: ${enum}." enum:"json,console" default:"${log_format=json}"`
}

// Logger is the logger of a service.
func (l *Log) Logger(service string) *zap.Logger {
	return l.logger(service, zapcore.Lock(os.Stderr))
}

func (l *Log) logger(service string, out zapcore.WriteSyncer) *zap.Logger {
	level := zap.InfoLevel
	_ = level.Set(l.LogLevel) // kong let nothing else pass
	keys := zapcore.EncoderConfig{
		TimeKey: "ts", LevelKey: "level", NameKey: "logger", MessageKey: "msg",
		EncodeTime: utc, EncodeLevel: zapcore.LowercaseLevelEncoder, EncodeDuration: zapcore.StringDurationEncoder,
	}
	if l.LogFormat == "console" { // for a person, who knows what was started
		return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(keys), out, level))
	}
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(keys), out, level),
		zap.Fields(zap.String("service", service), zap.String("version", Version())))
}

func utc(t time.Time, enc zapcore.PrimitiveArrayEncoder) {
	enc.AppendString(t.UTC().Format("2006-01-02T15:04:05.000Z"))
}
