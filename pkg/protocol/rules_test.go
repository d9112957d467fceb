package protocol_test

import (
	"strings"
	"testing"

	"github.com/scoreflow/scoreflow/pkg/score"
)

// rule is a rule of the protocol that the model can do without.
type rule string

const (
	startIfNone     rule = "a calculation is started only if there is none"
	sameIdentity    rule = "a calculation is published with its correlation ID as the message's, so that a repeated one is not stored again"
	joinFromLeader  rule = "who is refused to queue asks the leader whom to join"
	joinOverlap     rule = "who joins reckons with a score that is older than the calculation, by Overlap"
	waitForTurn     rule = "only the first of the subject is run"
	secondIsNew     rule = "a calculation that was placed second never reuses a score"
	reuseOverlap    rule = "no calculation reuses a score that is older than itself by more than Overlap"
	lookAgain       rule = "the adapter looks again at the score"
	lookAtLeader    rule = "the adapter looks at the leader's record"
	ownEnd          rule = "the adapter leaves a calculation whose failure is in the record"
	checkSettled    rule = "the adapter asks whether what is delivered again has ended"
	completionFirst rule = "the adapter asks for the completion first, then for the result"
	beganEarly      rule = "a calculation counts as begun from when the adapter sees its turn, before it looks at anything else"
	claimCalls      rule = "a call that must not be repeated is claimed"
	keepAnswer      rule = "what a backend answers is stored before it is acknowledged, also when another end waits to be settled"
	newerStands     rule = "a record that tells the end, or a newer score, stands"
	putFirst        rule = "a score is put before its result is committed"
	putIfUnchanged  rule = "the record is put only if it has not changed"
	commitOnce      rule = "a result is committed only if there is none"
	commitFirst     rule = "a result is committed before its calculation is released"
	byDeadline      rule = "a calculation that nobody works on ends by its deadline"
)

// Every rule is left out once; then the exploration must find what it is for.
func TestEveryRuleIsNeeded(t *testing.T) {
	callers := func(wishes ...score.Wishes) []score.Wishes { return wishes }
	for _, c := range []struct {
		rule  rule
		fault string
		setting
	}{
		{startIfNone, "is run though another stands before it", setting{wishes: callers(anyScore, anyScore), budget: budget{early: 1}}},
		{sameIdentity, "once more than", setting{wishes: callers(newScore), budget: budget{lost: 1}}},
		{joinFromLeader, "which began before", setting{wishes: callers(newScore, newScore, newScore, newScore), alone: true}},
		{joinOverlap, "is too old", setting{wishes: callers(anyScore, young), old: true, budget: budget{time: 1}}},
		{waitForTurn, "is run though another stands before it", setting{wishes: callers(anyScore, newScore), budget: budget{early: 1}}},
		{secondIsNew, "which began before", setting{wishes: callers(anyScore, newScore)}},
		{reuseOverlap, "is too old", setting{wishes: callers(anyScore, young), old: true, budget: budget{time: 1}}},
		{lookAgain, "could have reused", setting{wishes: callers(anyScore, anyScore)}},
		{lookAtLeader, "could have reused", setting{wishes: callers(anyScore, anyScore)}},
		{ownEnd, "another answer", setting{wishes: callers(anyScore), failures: failures, budget: budget{redeliveries: 1}}},
		{checkSettled, "has ended already", setting{wishes: callers(newScore), budget: budget{crashes: 1}}},
		{completionFirst, "has ended already", setting{wishes: callers(newScore), budget: budget{crashes: 1}}},
		{beganEarly, "which is newer, is there", setting{wishes: callers(newScore, newScore), budget: budget{redeliveries: 1}}},
		{claimCalls, "a second time", setting{wishes: callers(anyScore), atMostOnce: true, budget: budget{crashes: 1}}},
		{keepAnswer, "is lost", setting{wishes: callers(anyScore), budget: budget{aborts: 1}}},
		{newerStands, "another answer", setting{wishes: callers(newScore, newScore), budget: budget{redeliveries: 1}}},
		{putFirst, "is not in the record", setting{wishes: callers(anyScore)}},
		{putIfUnchanged, "which is newer, is there", setting{wishes: callers(newScore, newScore), budget: budget{redeliveries: 1}}},
		{commitOnce, "changes", setting{wishes: callers(anyScore), callback: true, budget: budget{notifications: 1}}},
		{commitFirst, "is released and has no result", setting{wishes: callers(anyScore)}},
		{byDeadline, "is left over", setting{wishes: callers(anyScore), callback: true}},
	} {
		t.Run(string(c.rule), func(t *testing.T) {
			c.without = c.rule
			e, trail := explore(c.setting)
			if !strings.Contains(e.fault, c.fault) || e.fault == "" {
				t.Fatalf("after %d states: %q, want %q\n%s", len(e.ends), e.fault, c.fault, trail)
			}
			t.Logf("%s, found after %d states:\n%s", e.fault, len(e.ends), trail)
		})
	}
}
