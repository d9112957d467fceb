package correlation

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func hasher(t interface{ Fatal(...any) }) *Pseudonymizer {
	p, err := NewPseudonymizer(bytes.Repeat([]byte("s"), MinSecret))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestIDCarriesTimeAndSlot(t *testing.T) {
	p := hasher(t)
	rapid.Check(t, func(t *rapid.T) {
		key := p.Key("bank", "credit", rapid.StringN(1, 40, -1).Draw(t, "customer"))
		now := time.UnixMilli(rapid.Int64Range(0, 1<<47).Draw(t, "ms"))
		id := NewID(key, now)
		if id.Slot() != key.Slot || !id.Time().Equal(now) {
			t.Fatalf("%v: slot %s time %v, want %s %v", id, id.Slot(), id.Time(), key.Slot, now)
		}
		if back, err := ParseID(id.String()); err != nil || back != id {
			t.Fatalf("%v came back as %v: %v", id, back, err)
		}
	})
}

func TestIDsDiffer(t *testing.T) {
	key := hasher(t).Key("bank", "credit", "42")
	now := time.Now()
	seen := map[ID]bool{}
	for range 10_000 {
		id := NewID(key, now)
		if seen[id] {
			t.Fatal("the same ID twice")
		}
		seen[id] = true
	}
}

func TestParseIDRefuses(t *testing.T) {
	good := NewID(hasher(t).Key("bank", "credit", "42"), time.Now()).String()
	for _, s := range []string{
		"", "x", "*", ">", good + "0", "{" + good + "}", "urn:uuid:" + good, "0189f0a8-0000-7000-8000-000000000000",
		"0189F0A8-0000-8000-8000-000000000000", string(make([]byte, 1<<16)),
	} {
		if _, err := ParseID(s); err == nil {
			t.Errorf("%.80q was taken for an ID", s)
		}
	}
}

func TestKeyComesBack(t *testing.T) {
	p := hasher(t)
	key := p.Key("bank", "credit", "42")
	if back, ok := ParseKey(key.String()); !ok || back != key {
		t.Errorf("%v came back as %v", key, back)
	}
	if p.Key("bank", "credit", "42") != key {
		t.Error("the same customer has two keys")
	}
	if other := p.Key("bank", "fraud", "42"); other == key {
		t.Error("two products have one key")
	}
	if p.Key("ban", "credit", "k42").Token == p.Key("bank", "credit", "42").Token {
		t.Error("two tenants have one token")
	}
	for _, s := range []string{"", "credit", "credit.a.b", key.String() + ".x", "CREDIT" + key.String()[6:], "credit.zzzzzz." + key.Token} {
		if _, ok := ParseKey(s); ok {
			t.Errorf("%q was taken for a key", s)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("0189f0a8-0000-8000-8000-000000000000")
	f.Add("credit.000000.00000000000000000000000000")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ParseID(s); err == nil && id.String() != s {
			t.Fatalf("%q came back as %q", s, id)
		}
		if key, ok := ParseKey(s); ok && key.String() != s {
			t.Fatalf("%q came back as %q", s, key)
		}
	})
}
