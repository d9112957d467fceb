//go:build outside

// The console in a real browser: `make outside`. With -artifacts the tests leave pictures of what they saw.
package console_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/services/dev/devtest"
	"github.com/scoreflow/scoreflow/services/httpbridge"
)

// customer must be seen nowhere but where it was typed.
const customer = "customer-0815"

const patience = 30 * time.Second // with a browser on a busy machine

func TestTheWayOfARequest(t *testing.T) {
	p := open(t)
	p.wide("light")
	p.shot("before")

	p.ask(customer, "report") // whose backend waits for the test
	p.await(step("request", "done"), step("calculation", "active"), `document.querySelectorAll('#progress li').length === 1`)
	p.shot("calculating")
	p.wide("dark")
	p.shot("calculating-dark")
	p.phone()
	p.shot("calculating-phone")
	p.wide("light")
	p.complete()
	p.await(step("calculation", "done"), step("notification", "done"), step("result", "done"), text(".value strong", "777"),
		`document.querySelectorAll('#progress li').length === 0`, `document.querySelectorAll('#recent li').length === 1`)
	p.shot("calculated")

	p.key(kb.Enter) // the same once more
	p.await(step("calculation", "skipped"), step("notification", "skipped"), text("[data-step=result] .note", "from the cache"),
		`document.querySelector('#ratio-figure').textContent.startsWith('50 %')`)
	p.shot("cached")
	p.wide("dark")
	p.shot("cached-dark")
	p.phone()
	p.shot("cached-phone")
	if page := p.text("body"); strings.Contains(page, customer) {
		t.Errorf("the customer is shown: %s", page)
	}
}

func TestWhyThereIsNoScore(t *testing.T) {
	p := open(t)
	p.wide("light")
	p.ask("42", "credit")
	p.await(step("result", "done"), text(".value strong", "573"))
	p.do(chromedp.Click("summary"), chromedp.SendKeys("[name=attribute]", "demo=decline"), chromedp.Click("[name=refresh]"))
	p.key(kb.Enter)
	p.await(step("calculation", "failed"), step("result", "failed"), `document.querySelector('.why').textContent.startsWith('Backend declined')`,
		`document.querySelector('#recent li').dataset.status === 'FAILED'`)
	p.shot("failed")

	p.ask("42", "nonsense")
	p.await(step("request", "failed"), step("calculation", "todo"), `document.querySelector('[role=alert]').textContent.includes('there is no such product')`)
	p.shot("refused")

	p.ask("42", "NO SUCH") // what the form refuses is not sent
	p.await(`document.querySelector('[name=product]:invalid')`, `document.activeElement.name === 'product'`)
}

func TestManyAtOnce(t *testing.T) {
	p := open(t)
	p.wide("light")
	p.do(chromedp.Click("summary"), chromedp.Click("#many"))
	p.await(`document.querySelectorAll('#latency circle').length >= 20`, `document.querySelectorAll('#progress li').length === 0`)
	p.do(chromedp.Click("#many"))
	p.await(`document.querySelectorAll('#latency circle').length >= 40`, `document.querySelectorAll('#progress li').length === 0`)
	p.shot("many")
	p.wide("dark")
	p.shot("many-dark")
	p.phone()
	p.shot("many-phone")
}

// Those who ask for the same score wait for one calculation, and each is told.
func TestTwoWaitForOneCalculation(t *testing.T) {
	p := open(t)
	p.ask(customer, "report")
	p.await(`document.querySelectorAll('#progress li').length === 1`)
	p.key(kb.Enter)
	p.await(`document.querySelectorAll('#progress li').length === 2`)
	p.complete()
	p.await(`document.querySelectorAll('#progress li').length === 0`, `document.querySelectorAll('#latency circle').length === 2`)
}

// What is being calculated goes on while the bridge is away, and its result is found when it is back.
func TestTheBridgeIsAway(t *testing.T) {
	p := open(t)
	p.wide("light")
	p.ask(customer, "report")
	p.await(step("calculation", "active"))
	p.bridge.stop()
	p.await(`document.querySelector('#connection').dataset.state === 'away'`, step("calculation", "active"))
	p.complete()

	p.ask("42", "credit")
	p.await(step("request", "failed"), `document.querySelector('[role=alert]').textContent.includes('does not answer')`)
	p.shot("away")
	p.phone()
	p.shot("away-phone")

	p.bridge.start(p.bridge.addr)
	p.await(`document.querySelector('#connection').dataset.state === 'live'`, `document.querySelectorAll('#progress li').length === 0`)
	p.key(kb.Enter)
	p.await(step("result", "done"))
}

func TestKeyboardAlone(t *testing.T) {
	p := open(t)
	p.wide("light")
	var order []string
	for range 6 {
		p.key(kb.Tab)
		order = append(order, p.eval(`document.activeElement.name || document.activeElement.textContent.trim().split('\n')[0]`))
	}
	want := "customer product Ask More OpenAPI AsyncAPI"
	if got := strings.Join(order, " "); got != want {
		t.Errorf("Tab goes to %s, want %s", got, want)
	}
	p.do(chromedp.Focus("[name=customer]"))
	p.key("42")
	p.key(kb.Enter)
	p.await(step("result", "done"))
	if p.eval(`getComputedStyle(document.activeElement).outlineStyle`) != "solid" {
		t.Error("it cannot be seen where the focus is")
	}
}

// page is the console in a browser, on a suite.
type page struct {
	*testing.T
	ctx    context.Context
	bridge *bridge
	report *devtest.Backend
}

func open(t *testing.T) *page {
	t.Helper()
	url, report := devtest.Run(t)
	b := &bridge{T: t, nats: url}
	b.start("127.0.0.1:0")
	ctx, closeTab := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(chromedp.NoSandbox))
	t.Cleanup(closeTab)
	p := &page{T: t, ctx: ctx, bridge: b, report: report}
	complaints := make(chan string, 100)
	err := chromedp.Listen(ctx, func(event any) {
		complaint := ""
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if !strings.Contains(e.Entry.URL, "/v1/") { // what becomes of requests is for the page to show
				complaint = e.Entry.Text
			}
		case *runtime.EventExceptionThrown:
			complaint = e.ExceptionDetails.Text
		}
		if complaint != "" {
			select {
			case complaints <- complaint:
			default:
			}
		}
	})
	if err != nil {
		t.Fatalf("no Chromium: %v", err)
	}
	t.Cleanup(func() {
		for len(complaints) > 0 {
			t.Errorf("the browser complains: %s", <-complaints)
		}
	})
	p.do(chromedp.Navigate("http://" + b.addr + "/"))
	p.await(`document.querySelector('#connection').dataset.state === 'live'`)
	return p
}

func (p *page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.Fatal(err)
	}
}

func (p *page) key(keys string) { p.do(chromedp.KeyEvent(keys)) }

func (p *page) eval(expression string) string {
	p.Helper()
	s, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		p.Fatalf("%s: %v", expression, err)
	}
	return s
}

func (p *page) text(selector string) string {
	p.Helper()
	return p.eval(`document.querySelector('` + selector + `').innerText`)
}

// await waits until all conditions hold. What chromedp has for that needs eval in the page, which the policy forbids.
func (p *page) await(conditions ...string) {
	p.Helper()
	all := `new Promise(done => { const look = () => (` + strings.Join(conditions, ` && `) + `) ? done(true) : setTimeout(look, 5); look(); })`
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](all, chromedp.EvalAwaitPromise)); err != nil {
		p.shot("failure")
		p.Fatalf("%v: %s\n%s", err, strings.Join(conditions, " && "), p.text("body"))
	}
}

func step(name, state string) string {
	return `document.querySelector('[data-step=` + name + `]').dataset.state === '` + state + `'`
}

func text(selector, is string) string {
	return `document.querySelector('` + selector + `')?.textContent === '` + is + `'`
}

// ask types what to ask for, and Enter.
func (p *page) ask(customer, product string) {
	p.Helper()
	p.eval(`(document.querySelector('[name=customer]').value = document.querySelector('[name=product]').value = '')`)
	p.do(chromedp.SendKeys("[name=product]", product), chromedp.SendKeys("[name=customer]", customer))
	p.key(kb.Enter)
}

// complete notifies as the backend of the calculation in progress.
func (p *page) complete() {
	p.Helper()
	call := p.report.Only()
	req, err := http.NewRequestWithContext(p.Context(), http.MethodPost, call.URL,
		strings.NewReader(`{"score":{"outcome":"SCORED","value":777,"range_min":0,"range_max":1000,"sources":["bureau-north"]}}`))
	if err != nil {
		p.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+call.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		p.Fatalf("notify: %s", resp.Status)
	}
}

func (p *page) wide(scheme string) {
	p.Helper()
	p.look(scheme, 1200, 860)
}

func (p *page) phone() {
	p.Helper()
	p.look("light", 360, 740)
	if p.eval(`String(document.documentElement.scrollWidth)`) != "360" {
		p.Error("it is wider than a phone")
	}
}

func (p *page) look(scheme string, width, height int64) {
	p.Helper()
	p.do(chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
		})
		return err
	}))
}

// shot keeps a picture for people to look at.
func (p *page) shot(name string) {
	p.Helper()
	picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(p.ArtifactDir(), name+".png"), picture, 0o644)
	}
	if err != nil {
		p.Fatal(err)
	}
}

// bridge is one that can go and come back.
type bridge struct {
	*testing.T
	nats string
	addr string
	stop func() // and wait until it is gone
}

func (b *bridge) start(listen string) {
	b.Helper()
	nc, err := nats.Connect(b.nats)
	if err != nil {
		b.Fatal(err)
	}
	s, err := httpbridge.New(b.Context(), httpbridge.Config{Listen: listen, AdminListen: "127.0.0.1:0"}, nc, zap.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	b.addr = s.Addr()
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Run(ctx); err != nil {
			b.Error(err)
		}
	}()
	b.stop = func() {
		cancel()
		<-ended
		nc.Close()
	}
	b.Cleanup(b.stop)
}
