// Package correlation makes the two names everything is found by: the correlation ID of a calculation, and the key that stands for a
// customer and product wherever the customer's own ID must not stand.
package correlation

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// ID is a correlation ID: a UUID of version 8 (RFC 9562) that carries 48 bits of milliseconds and the 30-bit slot of its calculation's key;
// the rest is random. So an ID alone leads to its calculation without an index. It is a name, never a capability.
type ID uuid.UUID

// NewID makes an ID for a calculation of key.
func NewID(key Key, now time.Time) ID {
	var id ID
	binary.BigEndian.PutUint64(id[:8], uint64(now.UnixMilli())<<16)
	rand.Read(id[8:]) // never fails
	slot := slotNumber(key.Slot)
	binary.BigEndian.PutUint16(id[6:], 0x8000|uint16(slot>>18))             // version 8, the upper 12 bits
	tail := binary.BigEndian.Uint32(id[8:]) & 0xfff                         // 12 of the 44 random bits
	binary.BigEndian.PutUint32(id[8:], 0x8000_0000|(slot&0x3ffff)<<12|tail) // variant 10, the lower 18 bits
	return id
}

// ParseID reads an ID in its canonical form; every other string, and every UUID that NewID cannot have made, is refused.
func ParseID(s string) (ID, error) {
	u, err := uuid.Parse(s)
	if err != nil || u.Version() != 8 || u.Variant() != uuid.RFC4122 || u.String() != s {
		return ID{}, fmt.Errorf("%q is not a correlation ID: it is a UUID of version 8 in lower case", clip(s))
	}
	return ID(u), nil
}

func (id ID) String() string { return uuid.UUID(id).String() }

// Slot is the slot of the key that the ID was made for.
func (id ID) Slot() string {
	return slotString(uint32(binary.BigEndian.Uint16(id[6:])&0xfff)<<18 | binary.BigEndian.Uint32(id[8:])>>12&0x3ffff)
}

// Time is when the ID was made, in whole milliseconds.
func (id ID) Time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16))
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64]
	}
	return s
}
