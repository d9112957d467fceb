package bench

import (
	"fmt"
	"os"
	"text/tabwriter"
	"time"
)

// table is what a person reads.
type table struct{ w *tabwriter.Writer }

func newTable(title string, columns ...any) *table {
	fmt.Printf("\n%s\n\n", title)
	t := &table{tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)}
	t.row(columns...)
	return t
}

func (t *table) row(cells ...any) {
	for _, c := range cells {
		fmt.Fprint(t.w, c, "\t")
	}
	fmt.Fprintln(t.w)
}

func (t *table) end() { _ = t.w.Flush() }

// newComparison is a table of what is compared to a floor. Its ratios are the medians of those of the rounds.
func newComparison(title string) *table {
	return newTable(title, "", "floor", "ours", "ratio", "target", "CPU floor", "of it NATS", "ours", "of it NATS", "p50 floor", "ours", "p99 floor", "ours", "ratio", "target")
}

// compare adds a row. A target of 0 is none. CPU is that of all processes together for each answer.
func (t *table) compare(name string, floor, ours series, rate, tail float64) {
	rates := median(ratios(ours.rates(), floor.rates()))
	tails := median(ratios(ours.at(99), floor.at(99)))
	floorCPU, floorNATS := floor.cpus()
	oursCPU, oursNATS := ours.cpus()
	t.row(name,
		perSecond(median(floor.rates())), perSecond(median(ours.rates())), fmt.Sprintf("%.2f", rates), target(">=", rate, rates >= rate),
		floorCPU, floorNATS, oursCPU, oursNATS,
		micros(median(floor.at(50))), micros(median(ours.at(50))), micros(median(floor.at(99))), micros(median(ours.at(99))),
		fmt.Sprintf("%.2f", tails), target("<=", tail, tails <= tail))
}

func target(relation string, want float64, met bool) string {
	switch {
	case want == 0 || !*full:
		return ""
	case met:
		return fmt.Sprintf("%s %.2f", relation, want)
	}
	return fmt.Sprintf("%s %.2f MISSED", relation, want)
}

func perSecond(rate float64) string { return fmt.Sprintf("%.1f k/s", rate/1000) }

func micros(us float64) string {
	return (time.Duration(us) * time.Microsecond).Round(10 * time.Microsecond).String()
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.0f MB", float64(bytes)/1e6) }
