// What is in progress, and what ended lately.

import {born, clock, element, seconds, short, span, words} from './format.js';

const kept = 8; // results

// Progress is the requests of this page that are being calculated.
export class Progress {
  #list;
  #items = new Map();

  constructor(list) { this.#list = list; }

  // update adds, or takes out, a request.
  update(ask) {
    const item = this.#items.get(ask);
    if (ask.pending && !item) {
      const bar = element('i', {class: 'bar'});
      const time = element('span', {class: 'time'});
      const added = element('li', {}, element('span', {}, ask.product), element('code', {}, short(ask.answer.correlation_id)), time, bar);
      this.#items.set(ask, {added, bar, time});
      this.#list.append(added);
      this.tick();
    } else if (!ask.pending && item) {
      item.added.remove();
      this.#items.delete(ask);
    }
  }

  tick() {
    for (const [ask, {bar, time}] of this.#items) {
      const elapsed = ask.elapsed();
      time.textContent = span(elapsed);
      bar.style.setProperty('--part', ask.answer.eta ? 1 - Math.exp(-2 * elapsed / seconds(ask.answer.eta)) : 0.5);
    }
  }
}

// Recent is the results of everyone, the latest first.
export class Recent {
  #list;

  constructor(list) { this.#list = list; }

  add({id, status, product, outcome, calculated, code, at}) {
    const took = calculated ? Date.parse(calculated) - born(id) : at - born(id);
    const what = status === 'READY' ? words(outcome ?? status) : words(code ?? status);
    this.#list.prepend(element('li', {'data-status': status},
      element('time', {}, clock(at)), element('span', {}, product), element('span', {class: 'what'}, what),
      element('code', {title: id}, short(id)), element('span', {class: 'time'}, took < 0 ? '' : took < 1 ? '< 1 ms' : span(took))));
    while (this.#list.children.length > kept) this.#list.lastChild.remove();
  }
}
