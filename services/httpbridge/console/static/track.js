// The track: request, calculation, notification, result.

import {born, seconds, span} from './format.js';

const calculating = {
  MISS: 'started by this request',
  JOINED: 'joined: it runs already',
};

export class Track {
  #steps = {};
  #ask;

  constructor(list) {
    for (const step of list.children) {
      this.#steps[step.dataset.step] = step;
      step.dataset.hint = step.querySelector('.note').textContent;
    }
  }

  // show shows the way of a request as far as it is.
  show(ask) {
    this.#ask = ask;
    const {times, state, cache, answer} = ask;
    const at = (time) => (time === undefined ? '' : `+${span(time - times.sent)}`);
    const failed = answer?.status === 'FAILED' || answer?.status === 'CANCELLED';
    const found = state === 'done' && times.told === undefined;
    if (ask.problem && times.answered === undefined) {
      this.#set('request', 'failed', '', 'not accepted');
    } else {
      this.#set('request', times.answered === undefined ? 'active' : 'done', at(times.answered), times.answered === undefined ? 'sent' : 'answered');
    }
    if (found) {
      this.#set('calculation', 'skipped', '', cache === 'HIT' ? 'not needed' : 'was quicker');
      this.#set('notification', 'skipped', '', 'not needed');
    } else {
      this.#calculation(failed);
      this.#set('notification', times.told === undefined ? 'todo' : 'done', at(times.told), 'announced');
    }
    if (ask.problem && times.answered !== undefined) this.#set('result', 'failed', '', 'not fetched');
    else if (state === 'told') this.#set('result', 'active', '', 'fetching');
    else if (state !== 'done') this.#set('result', 'todo', '', '');
    else this.#set('result', failed ? 'failed' : 'done', at(times.result), failed ? 'no score' : found && cache === 'HIT' ? 'from the cache' : 'fetched');
  }

  #calculation(failed) {
    const {state, cache, answer, times} = this.#ask;
    if (times.answered === undefined) return this.#set('calculation', 'todo', '', '');
    if (state === 'calculating') {
      const waits = answer.state === 'QUEUED' ? 'waits for the one before it' : calculating[cache] ?? '';
      this.#set('calculation', 'active', '', waits);
      return this.tick();
    }
    const {calculated_at: ended} = answer.score ?? {};
    const took = ended && Date.parse(ended) - born(answer.correlation_id);
    this.#set('calculation', failed ? 'failed' : 'done', took > 0 ? span(took) : '', failed ? 'failed' : 'calculated');
  }

  // tick goes on with the time.
  tick() {
    if (this.#ask?.state !== 'calculating') return;
    const step = this.#steps.calculation;
    const elapsed = this.#ask.elapsed();
    step.querySelector('.when').textContent = span(elapsed);
    const {eta} = this.#ask.answer;
    // An estimate is no promise: the bar comes near its end, and never reaches it.
    step.style.setProperty('--part', eta ? 1 - Math.exp(-2 * elapsed / seconds(eta)) : 0.5);
  }

  #set(name, state, when, note) {
    const step = this.#steps[name];
    step.dataset.state = state;
    step.querySelector('.when').textContent = when;
    step.querySelector('.note').textContent = state === 'todo' ? step.dataset.hint : note;
    if (state === 'active') step.setAttribute('aria-current', 'step');
    else step.removeAttribute('aria-current');
  }
}
