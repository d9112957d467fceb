import {Ask} from './ask.js';
import {Feed} from './feed.js';
import {Progress, Recent} from './lists.js';
import {outcome} from './outcome.js';
import {Plots} from './plots.js';
import {Track} from './track.js';

const get = (id) => document.getElementById(id);
const form = get('ask');
const feed = new Feed();
const track = new Track(get('track'));
const progress = new Progress(get('progress'));
const recent = new Recent(get('recent'));
const plots = new Plots({ratio: get('ratio'), ratioFigure: get('ratio-figure'), latency: get('latency'), latencyFigure: get('latency-figure')});

const states = {live: 'connected', away: 'no connection; trying again'};
feed.addEventListener('state', ({detail: state}) => {
  get('connection').dataset.state = state;
  get('connection').textContent = states[state];
});
feed.addEventListener('result', ({detail: result}) => recent.add(result));
feed.open();

let shown; // the request on the track: the last one

function show(ask) {
  progress.update(ask);
  if (ask.state === 'done') plots.add(ask.cache === 'HIT', ask.elapsed());
  if (ask !== shown) return;
  track.show(ask);
  get('outcome').replaceChildren(...outcome(ask));
}

function start(what) {
  shown = new Ask(what, feed, show);
  const done = shown.run();
  show(shown);
  return done;
}

function read() {
  const {customer, product, refresh, attribute} = form.elements;
  const [name, ...value] = attribute.value.split('=');
  return {
    customer: customer.value, product: product.value, refresh: refresh.checked,
    attributes: name ? {[name]: value.join('=')} : undefined,
  };
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  start(read());
});

// Made-up customers, few enough that some come twice.
get('many').addEventListener('click', () => {
  if (!form.elements.product.reportValidity() || !form.elements.attribute.reportValidity()) return;
  for (let i = 0; i < 20; i++) start({...read(), customer: `demo-${Math.floor(Math.random() * 40)}`});
});

// The clocks run only while something is in progress.
setInterval(() => {
  if (!shown?.pending && get('progress').children.length === 0) return;
  track.tick();
  progress.tick();
}, 100);
