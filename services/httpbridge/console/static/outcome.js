// What came of a request: a score, the reason why there is none, or a problem.

import {element, moment, rough, seconds, short, words} from './format.js';

const without = {
  NO_HIT: 'No source knows this customer.',
  THIN_FILE: 'The sources know too little of this customer.',
  FROZEN_FILE: 'This customer has locked the file.',
};

export function outcome(ask) {
  if (ask.problem) return problem(ask.problem);
  if (ask.state !== 'done') return ask.pending ? [waiting(ask)] : [];
  const {score, failure, status} = ask.answer;
  if (!score) return [why(status === 'CANCELLED' ? 'Cancelled' : words(failure?.code ?? status), failure?.message ?? '', facts(ask))];
  if (score.outcome !== 'SCORED') return [why(words(score.outcome), without[score.outcome] ?? '', facts(ask))];
  return [value(score), element('div', {class: 'detail'}, factors(score.key_factors ?? []), facts(ask))];
}

function problem({title, message, again}) {
  return [element('p', {class: 'problem', role: 'alert'}, element('b', {}, title), ` ${message}${again ? ' It can be tried again.' : ''}`)];
}

function waiting({answer}) {
  const about = answer.eta ? `Estimated to take ${rough(seconds(answer.eta))}. ` : '';
  return element('p', {class: 'hint'}, `${about}Nobody need wait for it: the correlation ID `, element('code', {}, short(answer.correlation_id)), ' finds it later.');
}

function why(title, message, more) {
  return element('div', {class: 'detail'}, element('p', {class: 'why'}, element('b', {}, title), ` ${message}`), more);
}

// value is the number on its scale.
function value({value: number, range_min: least = 0, range_max: most}) {
  const scale = element('div', {class: 'scale', 'aria-hidden': 'true'}, element('i'), element('span', {}, least), element('span', {}, most));
  scale.style.setProperty('--part', (number - least) / (most - least));
  return element('div', {class: 'value'}, element('strong', {}, number), element('span', {class: 'of'}, `of ${least} to ${most}`), scale);
}

function factors(all) {
  if (all.length === 0) return '';
  return element('div', {}, element('h3', {}, 'What weighed most'), element('ol', {class: 'factors'}, ...all.map(({code, text}) => element('li', {title: code}, text))));
}

function facts({answer, cache}) {
  const {score, correlation_id: id} = answer;
  const list = element('dl');
  const fact = (name, text) => text && list.append(element('dt', {}, name), element('dd', {}, text));
  fact('Cache', {HIT: 'hit', MISS: 'miss', JOINED: 'joined'}[cache]);
  fact('Model', score?.model && `${score.model.name} ${score.model.version}`);
  fact('Calculated', score?.calculated_at && moment(score.calculated_at));
  fact('Valid until', score?.valid_until && moment(score.valid_until));
  fact('Sources', score?.sources?.join(', '));
  fact('Correlation ID', element('code', {}, id));
  return list;
}
