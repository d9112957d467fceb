package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/scoreflow/scoreflow/pkg/retry"
	"github.com/scoreflow/scoreflow/pkg/subject"
)

// How long things are kept.
const (
	resultsKept  = 24 * time.Hour
	deadKept     = 30 * 24 * time.Hour
	webhooksKept = 30 * 24 * time.Hour
	markersKept  = time.Hour // of removed records, so that caches see the removal
)

// streams is how the streams are set up.
func streams(replicas int) []jetstream.StreamConfig {
	all := []jetstream.StreamConfig{
		{
			Name: subject.Calculations, Subjects: []string{subject.AllCalculations},
			Description: "calculations not settled yet",
			Discard:     jetstream.DiscardNew, DiscardNewPerSubject: true, MaxMsgsPerSubject: 2,
		},
		{
			Name: subject.Completions, Subjects: []string{subject.AllCompletions},
			Description: "what was reported and is not settled yet",
			Retention:   jetstream.WorkQueuePolicy,
		},
		{
			Name: subject.Results, Subjects: []string{subject.AllCommits},
			Description:       "the final document of each correlation ID",
			SubjectTransform:  &jetstream.SubjectTransformConfig{Source: subject.AllCommits, Destination: subject.StoredResult},
			RePublish:         &jetstream.RePublish{Source: subject.AllResults, Destination: subject.StoredResult},
			MaxMsgsPerSubject: 1, MaxAge: resultsKept,
		},
		{
			Name: subject.Timers, Subjects: []string{subject.AllTimers, subject.AllTimeouts, subject.AllClaims},
			Description: "deadlines of calculations handed over, and claims of calls",
			Retention:   jetstream.WorkQueuePolicy, AllowMsgSchedules: true, AllowMsgTTL: true,
		},
		{
			Name: subject.DeadLetters, Subjects: []string{subject.AllDead, subject.AllInvalid},
			Description: "what could not be brought to its intended end",
			MaxAge:      deadKept,
		},
		{
			Name: subject.Webhooks, Subjects: []string{subject.AllWebhooksDue, subject.AllWebhooksLater},
			Description: "hints that a webhook is to be delivered, now or later",
			Retention:   jetstream.WorkQueuePolicy, AllowMsgSchedules: true, MaxAge: webhooksKept,
		},
	}
	for i := range all {
		all[i].Storage = jetstream.FileStorage
		all[i].Replicas = replicas
		all[i].AllowDirect = true
	}
	return all
}

// buckets is how the buckets are set up.
func buckets(replicas int) []jetstream.KeyValueConfig {
	all := []jetstream.KeyValueConfig{
		{Bucket: subject.Scores, Description: "scores and their validity", LimitMarkerTTL: markersKept},
		{Bucket: subject.WebhookEndpoints, Description: "who may be told of results by HTTP; holds their secrets"},
		{Bucket: subject.WebhookDeliveries, Description: "who is to be told of which result, and what came of it", TTL: webhooksKept},
	}
	for i := range all {
		all[i].History = 1
		all[i].Storage = jetstream.FileStorage
		all[i].Replicas = replicas
	}
	return all
}

func (s *Store) ensure(ctx context.Context) error {
	for _, want := range streams(s.replicas) {
		err := start(ctx, func(ctx context.Context) error { return s.ensureStream(ctx, want) })
		if err != nil {
			return fmt.Errorf("stream %s: %w", want.Name, err)
		}
	}
	for _, want := range buckets(s.replicas) {
		err := start(ctx, func(ctx context.Context) error { return s.ensureBucket(ctx, want) })
		if err != nil {
			return fmt.Errorf("bucket %s: %w", want.Bucket, err)
		}
	}
	return nil
}

// start does what cannot be done without before there is anything to serve, however long NATS is away.
func start(ctx context.Context, do func(context.Context) error) error {
	return retry.Do(ctx, retry.Broker, func() error {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		return do(try)
	})
}

func (s *Store) ensureStream(ctx context.Context, want jetstream.StreamConfig) error {
	stream, err := s.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = s.js.CreateStream(ctx, want)
	}
	if err != nil {
		return lasting(err)
	}
	return check(want, stream.CachedInfo().Config)
}

func (s *Store) ensureBucket(ctx context.Context, want jetstream.KeyValueConfig) error {
	kv, err := s.js.KeyValue(ctx, want.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = s.js.CreateKeyValue(ctx, want)
	}
	if err != nil {
		return lasting(err)
	}
	status, err := kv.Status(ctx)
	if err != nil {
		return err
	}
	if status.History() != 1 {
		return retry.Stop(fmt.Errorf("its history is %d, must be 1", status.History()))
	}
	return nil
}

// lasting marks an error that will not pass: the server refuses the set-up itself.
func lasting(err error) error {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.Code == 400 && api.ErrorCode != jetstream.JSErrCodeStreamNameInUse {
		return retry.Stop(err)
	}
	if errors.Is(err, nats.ErrConnectionClosed) {
		return retry.Stop(err)
	}
	return err
}

// check compares what the protocol needs of a stream. How long and how often something is kept is the operator's to change.
func check(want, have jetstream.StreamConfig) error {
	for _, f := range []struct {
		name       string
		want, have any
	}{
		{"subjects", want.Subjects, have.Subjects},
		{"retention", want.Retention, have.Retention},
		{"discard policy", want.Discard == jetstream.DiscardNew, have.Discard == jetstream.DiscardNew},
		{"discard new per subject", want.DiscardNewPerSubject, have.DiscardNewPerSubject},
		{"messages per subject", max(want.MaxMsgsPerSubject, 0), max(have.MaxMsgsPerSubject, 0)},
		{"subject transform", want.SubjectTransform, have.SubjectTransform},
		{"republish", want.RePublish, have.RePublish},
		{"direct get", want.AllowDirect, have.AllowDirect},
		{"message schedules", want.AllowMsgSchedules, have.AllowMsgSchedules},
	} {
		if !reflect.DeepEqual(f.want, f.have) {
			return retry.Stop(fmt.Errorf("its %s is %+v, must be %+v; it was set up by somebody else or by an older version", f.name, f.have, f.want))
		}
	}
	return nil
}
