// The feed of all results: one connection for the whole page, which the browser resumes where it broke off.

const remembered = 500; // results

export class Feed extends EventTarget {
  #source;
  #last = ''; // place of the last event
  #known = new Map(); // by correlation ID: those that came before somebody waited for them
  #retry = 1000;

  open() {
    this.#source = new EventSource(`v1/results/events${this.#last ? `?after=${this.#last}` : ''}`);
    this.#source.onopen = () => {
      this.#retry = 1000;
      this.#tell('live');
      this.dispatchEvent(new Event('check')); // what was missed
    };
    this.#source.onerror = () => {
      this.#tell('away');
      if (this.#source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      setTimeout(() => this.open(), this.#retry);
      this.#retry = Math.min(this.#retry * 2, 15_000);
    };
    this.#source.addEventListener('result', (event) => this.#take(event));
    this.#source.addEventListener('gap', () => this.dispatchEvent(new Event('check')));
  }

  // result waits until a calculation's result is announced, or until signal ends the wait.
  result(id, signal) {
    if (this.#known.has(id)) return Promise.resolve();
    return new Promise((resolve) => {
      this.addEventListener(`result ${id}`, resolve, {once: true, signal}); // several may wait for it
      signal.addEventListener('abort', resolve);
    });
  }

  // take keeps nothing of the customer.
  #take(event) {
    this.#last = event.lastEventId;
    const {correlation_id: id, status, product, score, failure} = JSON.parse(event.data);
    const result = {id, status, product, outcome: score?.outcome, calculated: score?.calculated_at, code: failure?.code, at: Date.now()};
    this.#known.set(id, result);
    if (this.#known.size > remembered) this.#known.delete(this.#known.keys().next().value);
    this.dispatchEvent(new Event(`result ${id}`));
    this.dispatchEvent(new CustomEvent('result', {detail: result}));
  }

  #tell(state) {
    this.dispatchEvent(new CustomEvent('state', {detail: state}));
  }
}
