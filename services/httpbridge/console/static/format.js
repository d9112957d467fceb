// How things are written.

// span writes milliseconds.
export function span(ms) {
  if (ms < 10) return `${Math.max(ms, 0).toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(ms < 9_950 ? 2 : 1)} s`;
  const minutes = Math.round(ms / 60_000);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.round(ms / 3_600_000);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}

// rough writes milliseconds as far as an estimate is worth it.
export const rough = (ms) => (ms < 59_500 ? `${Math.max(Math.round(ms / 1000), 1)} s` : span(ms));

// seconds reads a duration of the contract, such as "4.300s", as milliseconds.
export const seconds = (duration) => parseFloat(duration) * 1000;

// born is when a correlation ID was made, in milliseconds since 1970: its first 48 bits.
export const born = (id) => parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

export const short = (id) => `${id.slice(0, 8)}…${id.slice(-6)}`;

export const clock = (time) => new Date(time).toLocaleTimeString([], {timeStyle: 'medium', hourCycle: 'h23'});

export const moment = (time) => new Date(time).toLocaleString([], {dateStyle: 'medium', timeStyle: 'short'});

// words writes a code or an enum: BACKEND_DECLINED, Backend declined.
export const words = (code) => code.charAt(0) + code.slice(1).toLowerCase().replaceAll('_', ' ');

const namespace = 'http://www.w3.org/2000/svg';

// element makes an element of HTML; what it contains is text or elements, never markup.
export function element(name, attributes = {}, ...content) {
  return fill(document.createElement(name), attributes, content);
}

// shape makes an element of SVG.
export function shape(name, attributes = {}, ...content) {
  return fill(document.createElementNS(namespace, name), attributes, content);
}

function fill(node, attributes, content) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...content);
  return node;
}
