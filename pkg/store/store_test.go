package store

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/natstest"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

func open(t *testing.T) (*Store, *natstest.Server) {
	t.Helper()
	server := natstest.Run(t)
	s, err := Open(t.Context(), server.Conn(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	return s, server
}

func key(t testing.TB, customer string) correlation.Key {
	t.Helper()
	names, err := correlation.NewPseudonymizer(bytes.Repeat([]byte("k"), correlation.MinSecret))
	if err != nil {
		t.Fatal(err)
	}
	return names.Key("default", "credit", customer)
}

func calculation(key correlation.Key) (correlation.ID, *scorev1.Calculation) {
	now := time.Now()
	id := correlation.NewID(key, now)
	return id, &scorev1.Calculation{
		CorrelationId: id.String(), Product: key.Product, CustomerId: "42",
		CreatedAt: timestamppb.New(now), Deadline: timestamppb.New(now.Add(time.Minute)),
	}
}

func TestOfManyStartsOneIsStored(t *testing.T) {
	s, _ := open(t)
	k := key(t, "42")
	var wg sync.WaitGroup
	stored := make(chan correlation.ID, 100)
	for range cap(stored) {
		wg.Go(func() {
			id, c := calculation(k)
			ok, err := s.Start(t.Context(), k, c)
			if err != nil {
				t.Error(err)
			}
			if ok {
				stored <- id
			}
		})
	}
	wg.Wait()
	if len(stored) != 1 {
		t.Fatalf("%d were stored", len(stored))
	}
	first, err := s.First(t.Context(), k, Any)
	if id := <-stored; err != nil || first.ID != id {
		t.Errorf("%v, %v; want %v", first, err, id)
	}
}

func TestAKeyHoldsTwoCalculations(t *testing.T) {
	s, _ := open(t)
	k := key(t, "42")
	var ids []correlation.ID
	for n := range 3 {
		id, c := calculation(k)
		ok, err := s.Queue(t.Context(), k, c)
		if err != nil || ok != (n < 2) {
			t.Fatalf("number %d: %v, %v", n, ok, err)
		}
		again, err := s.Queue(t.Context(), k, c)
		if err != nil || again != ok {
			t.Fatalf("number %d repeated: %v, %v", n, again, err)
		}
		ids = append(ids, id)
	}
	second, behind, err := s.Find(t.Context(), ids[1], Leader)
	if err != nil || second == nil || !behind {
		t.Fatalf("%v, behind %v, %v", second, behind, err)
	}
	first, behind, err := s.Find(t.Context(), ids[0], Leader)
	if err != nil || first == nil || behind {
		t.Fatalf("%v, behind %v, %v", first, behind, err)
	}
	for range 2 { // repeated, it is no error
		if err := s.Release(t.Context(), first.Sequence); err != nil {
			t.Fatal(err)
		}
	}
	if now, err := s.First(t.Context(), k, Leader); err != nil || now.ID != ids[1] {
		t.Errorf("the first is %v, %v", now, err)
	}
	if gone, _, err := s.Find(t.Context(), ids[0], Leader); gone != nil || err != nil {
		t.Errorf("%v, %v", gone, err)
	}
}

func TestACorrelationIDHasOneResult(t *testing.T) {
	s, server := open(t)
	k := key(t, "42")
	id, _ := calculation(k)
	listener := server.Conn()
	announced, err := listener.SubscribeSync(subject.AllResults)
	if err == nil {
		err = listener.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []bool{true, false} {
		ok, err := s.Commit(t.Context(), id, &scorev1.Answer{CorrelationId: id.String(), Status: scorev1.Status_READY, Revision: uint64(n + 1)})
		if err != nil || ok != want {
			t.Fatalf("number %d: %v, %v", n, ok, err)
		}
	}
	if r, err := s.Result(t.Context(), id, Leader); err != nil || r.Revision != 1 {
		t.Errorf("%v, %v", r, err)
	}
	if msg, err := announced.NextMsg(5 * time.Second); err != nil || msg.Subject != subject.Result(id) {
		t.Errorf("%v, %v", msg, err)
	}
}

func TestARecordIsPutWhereItWasSeen(t *testing.T) {
	s, _ := open(t)
	k := key(t, "42")
	id, _ := calculation(k)
	now := time.Now()
	doc := &scorev1.Record{CorrelationId: id.String(), Score: &scorev1.Score{
		CalculatedAt: timestamppb.New(now), ValidUntil: timestamppb.New(now.Add(time.Hour)),
	}}
	watched := make(chan Record, 4)
	if err := s.WatchRecords(t.Context(), func(_ correlation.Key, r Record) { watched <- r }, func() {}); err != nil {
		t.Fatal(err)
	}
	seen := func(want uint64) { // before another takes its place
		t.Helper()
		if r := <-watched; r.Revision != want || r.ID != id || !r.ValidUntil.Equal(now.Add(time.Hour)) {
			t.Fatalf("watched %+v, want revision %d", r.Record, want)
		}
	}
	revision, ok, err := s.Put(t.Context(), k, doc, 0, now)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	seen(revision)
	if _, ok, err = s.Put(t.Context(), k, doc, 0, now); err != nil || ok {
		t.Fatal("put over another", ok, err)
	}
	if _, ok, err = s.Put(t.Context(), k, doc, revision, now); err != nil || !ok {
		t.Fatal(ok, err)
	}
	seen(revision + 1)
}

func TestAClaimHasOneHolder(t *testing.T) {
	s, _ := open(t)
	id, _ := calculation(key(t, "42"))
	for _, c := range []struct {
		worker string
		own    bool
	}{{"a", true}, {"b", false}, {"a", true}} {
		if own, _, err := s.Claim(t.Context(), id, c.worker, time.Minute); err != nil || own != c.own {
			t.Errorf("%s: %v, %v", c.worker, own, err)
		}
	}
	_, before, err := s.Claim(t.Context(), id, "b", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RenewClaim(t.Context(), id, "a", time.Minute); err != nil {
		t.Fatal(err)
	}
	if own, after, err := s.Claim(t.Context(), id, "b", time.Minute); err != nil || own || !after.After(before) {
		t.Errorf("renewed at %v, then %v: %v, %v", before, after, own, err)
	}
}

func TestOpenRefusesAStreamThatWouldBreakTheProtocol(t *testing.T) {
	server := natstest.Run(t)
	js, err := jetstream.New(server.Conn())
	if err != nil {
		t.Fatal(err)
	}
	loose := streams(1)[0]
	loose.DiscardNewPerSubject = false
	if _, err := js.CreateStream(t.Context(), loose); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), server.Conn(), Config{})
	if err == nil || !strings.Contains(err.Error(), subject.Calculations) || !strings.Contains(err.Error(), "discard new per subject") {
		t.Error(err)
	}
}

func TestTheLeaderTellsTheSame(t *testing.T) {
	s, server := open(t)
	k := key(t, "42")
	id, c := calculation(k)
	if ok, err := s.Start(t.Context(), k, c); !ok || err != nil {
		t.Fatal(ok, err)
	}
	asked := &Store{nc: server.Conn(), js: s.js, replicas: 3} // as it is asked where there are replicas
	found, _, err := asked.Find(t.Context(), id, Leader)
	if err != nil || found == nil || !proto.Equal(found.Calculation, c) {
		t.Errorf("%v, %v", found, err)
	}
	none, _ := calculation(key(t, "43"))
	if found, _, err := asked.Find(t.Context(), none, Leader); found != nil || err != nil {
		t.Errorf("%v, %v", found, err)
	}
}

func FuzzRead(f *testing.F) {
	k := key(f, "42")
	id, c := calculation(k)
	good, err := proto.Marshal(c)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(subject.Calculation(k), good)
	f.Add(subject.Completion(id), good)
	f.Add("", []byte{})
	f.Fuzz(func(t *testing.T, subj string, data []byte) {
		if c, err := ReadCalculation(subj, 1, data); err == nil && (c.ID.Slot() != c.Key.Slot || subject.Calculation(c.Key) != subj) {
			t.Fatalf("%+v", c)
		}
		if id, c, err := ReadCompletion(subj, data); err == nil && (c.CorrelationId != id.String() || c.End == nil) {
			t.Fatalf("%+v", c)
		}
		if r := ReadRecord(1, data); r.HasScore() && r.Doc.Score == nil {
			t.Fatalf("%+v", r)
		}
		_, _ = ReadResult(data)
	})
}
