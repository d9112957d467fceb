// Two small plots of what was asked for on this page.

import {shape, span} from './format.js';

const kept = 60; // answers
const height = 168, left = 48, right = 6, top = 8, bottom = 8;

const y = (part) => height - bottom - part * (height - top - bottom);

export class Plots {
  #answers = []; // {hit, took}
  #drawn;
  #width;

  constructor(parts) {
    this.#drawn = parts;
    new ResizeObserver(() => this.#draw()).observe(parts.ratio); // both are as wide
  }

  // add takes in an answered request.
  add(hit, took) {
    this.#answers.push({hit, took});
    if (this.#answers.length > kept) this.#answers.shift();
    this.#draw();
  }

  // draw draws in pixels, so that labels are legible at any width.
  #draw() {
    this.#width = this.#drawn.ratio.clientWidth;
    for (const svg of [this.#drawn.ratio, this.#drawn.latency]) svg.setAttribute('viewBox', `0 0 ${this.#width} ${height}`);
    this.#ratio();
    this.#latency();
  }

  // The part of hits among all answers until each, and each answer as a tick.
  #ratio() {
    const {ratio: svg, ratioFigure: figure} = this.#drawn;
    const all = this.#answers;
    svg.replaceChildren(...[0, 0.5, 1].flatMap((part) => this.#line(part, `${part * 100} %`)));
    if (all.length === 0) {
      figure.textContent = 'Nothing was asked for yet.';
      return;
    }
    let hits = 0;
    const points = all.map(({hit}, i) => [this.#x(i), y((hits += hit) / (i + 1))]);
    const path = points.map(([px, py], i) => `${i ? 'L' : 'M'}${px.toFixed(1)} ${py.toFixed(1)}`).join('');
    svg.append(
      shape('path', {class: 'area', d: `${path}V${y(0)}H${points[0][0].toFixed(1)}Z`}),
      shape('path', {class: 'curve', d: path}),
      ...all.map(({hit}, i) => shape('circle', {class: hit ? 'hit' : 'miss', cx: points[i][0], cy: points[i][1], r: 2.6})),
    );
    figure.replaceChildren(big(`${Math.round(100 * hits / all.length)} %`), ` ${hits} of ${all.length} asked`);
  }

  // The time of each answer, from a millisecond to a hundred seconds.
  #latency() {
    const {latency: svg, latencyFigure: figure} = this.#drawn;
    const decades = ['1 ms', '10 ms', '100 ms', '1 s', '10 s', '100 s'];
    const part = (ms) => Math.min(Math.max(Math.log10(ms) / (decades.length - 1), 0), 1);
    svg.replaceChildren(...decades.flatMap((name, i) => this.#line(i / (decades.length - 1), name)));
    svg.append(...this.#answers.map(({hit, took}, i) => shape('circle', {class: hit ? 'hit' : 'miss', cx: this.#x(i), cy: y(part(took)), r: 3})));
    const [cached, calculated] = [true, false].map((kind) => median(this.#answers.filter(({hit}) => hit === kind).map(({took}) => took)));
    figure.replaceChildren(
      shape('svg', {class: 'key', viewBox: '0 0 8 8'}, shape('circle', {class: 'hit', cx: 4, cy: 4, r: 4})), big(cached), ' cached',
      shape('svg', {class: 'key', viewBox: '0 0 8 8'}, shape('circle', {class: 'miss', cx: 4, cy: 4, r: 4})), big(calculated), ' calculated',
    );
  }

  #x(index) { return left + (index + 0.5) * (this.#width - left - right) / kept; }

  #line(part, name) {
    return [
      shape('line', {class: 'grid', x1: left, x2: this.#width - right, y1: y(part), y2: y(part)}),
      shape('text', {class: 'label', x: left - 8, y: y(part) + 4}, name),
    ];
  }
}

function big(text) {
  const node = document.createElement('b');
  node.textContent = text;
  return node;
}

function median(values) {
  if (values.length === 0) return '–';
  const sorted = values.sort((a, b) => a - b);
  return span(sorted[Math.floor(sorted.length / 2)]);
}
