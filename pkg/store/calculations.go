package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/protocol"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// Calculation is a calculation and where it stands.
type Calculation struct {
	*scorev1.Calculation
	ID       correlation.ID
	Key      correlation.Key
	Sequence uint64
}

// Core is what the protocol needs of it; the zero value for none.
func (c *Calculation) Core() protocol.Calculation {
	if c == nil {
		return protocol.Calculation{}
	}
	return protocol.Calculation{ID: c.ID, Sequence: c.Sequence, CreatedAt: c.CreatedAt.AsTime()}
}

// ReadCalculation reads a message of the CALCULATIONS stream. One that was not written by a gateway is an error.
func ReadCalculation(subj string, sequence uint64, data []byte) (*Calculation, error) {
	key, ok := subject.ParseCalculation(subj)
	if !ok {
		return nil, errors.New("its subject is not that of a calculation")
	}
	c := &Calculation{Calculation: &scorev1.Calculation{}, Key: key, Sequence: sequence}
	if err := proto.Unmarshal(data, c.Calculation); err != nil {
		return nil, errors.New("it is not a calculation")
	}
	id, err := correlation.ParseID(c.CorrelationId)
	if err != nil {
		return nil, errors.New("its correlation ID is none")
	}
	c.ID = id
	switch {
	case id.Slot() != key.Slot || c.Product != key.Product:
		return nil, errors.New("it stands on a subject that is not its own")
	case c.CustomerId == "" || !c.CreatedAt.IsValid() || !c.Deadline.IsValid():
		return nil, errors.New("it is incomplete")
	}
	return c, nil
}

// Start stores a calculation, only if there is none of its key. Repeated, it is stored once, also when it has ended meanwhile. False may also
// mean that an earlier try was stored: read back.
func (s *Store) Start(ctx context.Context, key correlation.Key, c *scorev1.Calculation) (bool, error) {
	return s.place(ctx, key, c, bus.ExpectLast(0), bus.Once(c.CorrelationId))
}

// Queue stores a calculation as the last of its key; false when two are there. Repeated, it is stored once.
func (s *Store) Queue(ctx context.Context, key correlation.Key, c *scorev1.Calculation) (bool, error) {
	return s.place(ctx, key, c, bus.Once(c.CorrelationId))
}

func (s *Store) place(ctx context.Context, key correlation.Key, c *scorev1.Calculation, opts ...bus.Option) (bool, error) {
	data, err := proto.Marshal(c)
	if err != nil {
		return false, fmt.Errorf("store calculation %s: %w", c.CorrelationId, err)
	}
	_, err = bus.Publish(ctx, s.nc, &nats.Msg{Subject: subject.Calculation(key), Data: data}, opts...)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, bus.ErrConflict) || errors.Is(err, bus.ErrFull):
		return false, nil
	}
	return false, fmt.Errorf("store calculation %s: %w", c.CorrelationId, err)
}

// First is the first calculation of a key; nil when there is none.
func (s *Store) First(ctx context.Context, key correlation.Key, from From) (*Calculation, error) {
	return s.calculation(ctx, query{Seq: 1, First: subject.Calculation(key)}, from)
}

// Last is the last calculation of a key, asked from the leader; nil when there is none.
func (s *Store) Last(ctx context.Context, key correlation.Key) (*Calculation, error) {
	return s.calculation(ctx, query{Last: subject.Calculation(key)}, Leader)
}

// Calculation is the calculation that stands at a sequence, asked from the leader; nil when it is gone.
func (s *Store) Calculation(ctx context.Context, sequence uint64) (*Calculation, error) {
	return s.calculation(ctx, query{Seq: sequence}, Leader)
}

// Find is the calculation with a correlation ID, and whether another of its key stands before it; nil when it is not there.
func (s *Store) Find(ctx context.Context, id correlation.ID, from From) (c *Calculation, behind bool, err error) {
	seen := map[correlation.Key]bool{}
	for next := uint64(1); ; next = c.Sequence + 1 { // others of the slot are rare
		c, err = s.calculation(ctx, query{Seq: next, First: subject.CalculationsOfSlot(id.Slot())}, from)
		if err != nil || c == nil {
			return nil, false, err
		}
		if c.ID == id {
			return c, seen[c.Key], nil
		}
		seen[c.Key] = true
	}
}

// Oldest calls see for a product's calculations, the oldest first, until it returns false or there are no more.
func (s *Store) Oldest(ctx context.Context, product string, see func(*Calculation) bool) error {
	for next := uint64(1); ; {
		c, err := s.calculation(ctx, query{Seq: next, First: subject.CalculationsOfProduct(product)}, Any)
		if err != nil || c == nil || !see(c) {
			return err
		}
		next = c.Sequence + 1
	}
}

// Release removes the calculation that stands at a sequence; it is no error when it is gone.
func (s *Store) Release(ctx context.Context, sequence uint64) error {
	return s.remove(ctx, subject.Calculations, sequence)
}

// calculation reads one message that can be read; those that cannot are passed over, a consumer removes them.
func (s *Store) calculation(ctx context.Context, q query, from From) (*Calculation, error) {
	for {
		m, err := s.get(ctx, subject.Calculations, q, from)
		if errors.Is(err, errNone) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		c, err := ReadCalculation(m.subject, m.sequence, m.data)
		if err == nil {
			return c, nil
		}
		if q.First == "" {
			return nil, nil
		}
		q.Seq = m.sequence + 1
	}
}

// SetTimer stores the deadline of a calculation; when it has passed, the timeouts consumer gets a message.
func (s *Store) SetTimer(ctx context.Context, id correlation.ID, deadline time.Time) error {
	_, err := bus.Publish(ctx, s.nc, nats.NewMsg(subject.Timer(id)),
		bus.At(deadline), bus.To(subject.Timeout(id)))
	if err != nil {
		return fmt.Errorf("set timer of %s: %w", id, err)
	}
	return nil
}
