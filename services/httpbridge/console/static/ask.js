// One request for a score, and the way it takes.

// Problem is an answer that is an error, or none at all.
export class Problem extends Error {
  constructor(title, detail, again = false) {
    super(detail);
    this.title = title;
    this.again = again;
  }
}

// send asks the bridge, and returns the document that it answers, with the status.
async function send(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Problem('The bridge does not answer', 'Is it running? What was asked for before goes on without this page.', true);
  }
  const body = await response.json().catch(() => null);
  if (!body) throw new Problem(`Status ${response.status}`, 'The answer is not one of the bridge. Is something else in between?', true);
  if (!response.ok) {
    const detail = body.field ? `${body.field}: ${body.detail}` : body.detail;
    throw new Problem(body.title, detail, body.retryable);
  }
  return {status: response.status, answer: body};
}

export class Ask {
  #feed;
  #changed;

  // changed is called whenever something is known that was not.
  constructor({customer, product, refresh, attributes}, feed, changed) {
    Object.assign(this, {customer, product, refresh, attributes, state: 'asking', times: {}});
    this.#feed = feed;
    this.#changed = changed;
  }

  get pending() { return this.state === 'calculating' || this.state === 'told'; }

  elapsed() { return (this.times.result ?? performance.now()) - this.times.sent; }

  // run goes all the way. It never throws: what went wrong is a problem to show.
  async run() {
    this.times.sent = performance.now();
    try {
      await this.#ask();
      if (this.state === 'calculating') await this.#wait();
    } catch (problem) {
      this.problem = problem;
      this.#reach('failed');
    }
  }

  async #ask() {
    const headers = {'Content-Type': 'application/json', Prefer: 'respond-async'};
    if (this.refresh) headers['Cache-Control'] = 'no-cache';
    const body = {customer_id: this.customer, product: this.product};
    if (this.attributes) body.attributes = this.attributes;
    const {status, answer} = await send('v1/score-requests', {method: 'POST', headers, body: JSON.stringify(body)});
    this.answer = answer;
    this.cache = answer.cache;
    this.times.answered = performance.now();
    if (status === 202) {
      this.#reach('calculating');
    } else {
      this.times.result = this.times.answered;
      this.#reach('done');
    }
  }

  // wait waits for the notification and fetches then. When notifications may have been missed it looks, too.
  async #wait() {
    const found = new AbortController();
    const look = async () => {
      const looked = await send(`v1/score-requests/${this.answer.correlation_id}/result`).catch(() => null);
      if (looked?.status === 200) found.abort();
    };
    this.#feed.addEventListener('check', look);
    try {
      await this.#feed.result(this.answer.correlation_id, found.signal);
    } finally {
      this.#feed.removeEventListener('check', look);
    }
    this.times.told = performance.now();
    this.#reach('told');
    const {answer} = await send(`v1/score-requests/${this.answer.correlation_id}/result`);
    this.answer = answer;
    this.times.result = performance.now();
    this.#reach('done');
  }

  #reach(state) {
    this.state = state;
    this.#changed(this);
  }
}
