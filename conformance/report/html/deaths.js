'use strict';
// What happens when holders die, calls interleave and filesystems sin.

// --- the crash map ----------------------------------------------------------

// "acquire:3:before": the third call, and whether it was made.
function readPoint(point) {
  const [operation, call, side] = point.point.split(':');
  return {...point, operation, call: Number(call), side, what: point.call};
}

// Of check, and of crash, which has all points.
function crashMaps() {
  const maps = cells.filter((cell) => wantsPlace(cell.place) &&
    wantsBackend(cell.backend.name) && cell.backend.crash.length > 0)
    .map((cell) => ({name: `${cell.backend.name} on ` +
      data.places[cell.place].label, points: cell.backend.crash}));
  for (const {json} of documentsOf('crash')) {
    for (const backend of json.backends) {
      if (!wantsBackend(backend.name) || backend.points.length === 0) continue;
      maps.push({name: `${backend.name} on ${json.dir}, all points`,
        points: backend.points});
    }
  }
  return maps;
}

function openPoint(map, point) {
  openSheet(`${point.point}, ${plural(point.waiters, 'waiter')}`,
    facts([['lock', map.name], ['verdict', badge(point.verdict, kVerdicts)],
      ['the call', point.what], ['because', point.reason],
      ['next grant after', point.recovery_ns === null ? 'there was none'
        : time(point.recovery_ns)]]),
    point.replay && [el('h3', {}, 'Run it again'), command(point.replay)]);
}

function pointButton(map, point) {
  if (!point) return '';
  const {mark, tone} = kVerdicts[point.verdict] || kVerdicts.inconclusive;
  return el('button', {type: 'button', class: `cell tight ${tone}`,
    'aria-haspopup': 'dialog', 'data-point': point.point,
    'aria-label': `${point.point}, ${plural(point.waiters, 'waiter')}: ` +
      `${point.verdict}, ${time(point.recovery_ns)}`,
    onclick: () => openPoint(map, point)},
  el('span', {class: 'mark', 'aria-hidden': 'true'}, mark),
  point.verdict === 'pass' ? time(point.recovery_ns) : point.verdict);
}

function crashTable(map) {
  const points = map.points.map(readPoint);
  const waiters = [...new Set(points.map((point) => point.waiters))]
    .sort((a, b) => a - b);
  const rows = [];
  for (const point of points) {
    let row = rows.find((one) => one.operation === point.operation &&
      one.call === point.call);
    if (!row) {
      row = {operation: point.operation, call: point.call,
        what: point.what, at: new Map()};
      rows.push(row);
    }
    row.at.set(`${point.waiters}:${point.side}`, point);
  }
  const order = [...new Set(rows.map((row) => row.operation))];
  rows.sort((a, b) => order.indexOf(a.operation) -
    order.indexOf(b.operation) || a.call - b.call);
  const columns = waiters.flatMap((count) => ['before', 'after'].map((side) =>
    ({key: `${count}:${side}`, count, side})));
  const head = [el('tr', {}, el('th', {scope: 'col', rowspan: '2'},
    'killed at the call'), waiters.map((count) => el('th', {scope: 'colgroup',
    colspan: '2'}, plural(count, 'waiter')))),
  el('tr', {}, columns.map(({side}) => el('th', {scope: 'col'}, side)))];
  const body = rows.map((row) => el('tr', {}, el('th', {scope: 'row'},
    `${row.operation} ${row.call} `,
    el('span', {class: 'small quiet said'}, row.what)),
  columns.map(({key}) => el('td', {}, pointButton(map, row.at.get(key))))));
  return scrolling('Crash points', el('table', {class: 'matrix'},
    el('thead', {}, head), el('tbody', {}, body)));
}

const crash = {name: ''};

function drawCrash(body) {
  const maps = crashMaps();
  if (maps.length === 0) {
    body.replaceChildren(el('p', {}, kNothingMatches));
    return;
  }
  const named = () => maps.find((map) => map.name === crash.name) || maps[0];
  const out = el('div');
  const draw = () => out.replaceChildren(
    el('p', {class: 'said'}, crashLine(named().points)),
    crashTable(named()));
  crash.name = named().name;
  body.replaceChildren(el('div', {class: 'controls'}, picker(crash, draw)(
    'Lock', 'name', maps.map(({name}) => [name, name]))), out);
  draw();
}

// --- the explorer -----------------------------------------------------------

function stepTable(steps) {
  return tableOf('The calls, in order', [{name: 'process'}, {name: 'call'},
    {name: 'result'}, {name: 'holds the lock'}],
  steps.map((step) => [step.process, step.call, step.result,
    step.holds === true ? 'yes' : step.holds === false ? ''
      : String(step.holds)]));
}

function openExploration(one) {
  const example = one.counterexample;
  openSheet(`${one.backend} in the model ${one.model}`,
    facts([['verdict', badge(one.verdict, kVerdicts)],
      ['processes', String(one.processes)], ['the model', one.assumes],
      ['because', one.excuse], ['ended at', one.bound_reached],
      ['states', String(one.states)], ['transitions', String(one.transitions)],
      ['positions of the code', String(one.positions)],
      ['processor time', `${fixed(one.processor_s, 2)} s`],
      ...Object.entries(one.bounds || {}).map(([name, value]) =>
        [name.replaceAll('_', ' '), String(value)])]),
    example && [el('h3', {}, said(example.wrong)),
      el('p', {class: 'said'}, example.reason), stepTable(example.steps || []),
      el('h3', {}, 'Run it again'), command(example.replay || '')]);
}

// Nothing is wrong in any schedule with so many preemptions; beyond them, nothing
// is said.
const kExplored = {bounded: {mark: '\u2264', tone: 'good'}};

function drawExplore(body) {
  const all = documentsOf('explore').flatMap(({json}) => json.explorations)
    .filter((one) => wantsBackend(one.backend));
  if (all.length === 0) {
    body.replaceChildren(el('p', {}, kNothingMatches));
    return;
  }
  const columnOf = (one) => `${one.model}, ${one.processes} processes`;
  const columns = [...new Set(all.map(columnOf))];
  const rows = [...new Set(all.map((one) => one.backend))];
  const cell = (one) => {
    const {mark, tone} = kExplored[one.verdict] || kVerdicts[one.verdict] ||
      kVerdicts.inconclusive;
    const more = one.verdict === 'bounded'
      ? `at most ${plural(one.preemptions, 'preemption')}`
      : `${Number(one.states).toLocaleString('en')} states`;
    return el('button', {type: 'button', class: `cell ${tone}`,
      'aria-haspopup': 'dialog', onclick: () => openExploration(one)},
    el('span', {class: 'mark', 'aria-hidden': 'true'}, mark), one.verdict,
    el('span', {class: 'more'}, more));
  };
  body.replaceChildren(scrolling('Explorations',
    el('table', {class: 'matrix'},
      el('thead', {}, el('tr', {}, el('th', {scope: 'col'}, 'lock'),
        columns.map((name) => el('th', {scope: 'col', class: 'said'}, name)))),
      el('tbody', {}, rows.map((backend) => el('tr', {},
        el('th', {scope: 'row', class: 'said'}, backend),
        columns.map((column) => el('td', {}, all.filter((one) =>
          one.backend === backend && columnOf(one) === column).map(cell)))
      ))))));
}

// --- sins -------------------------------------------------------------------

const kSins = {
  caught: {mark: '✓', tone: 'good'},
  clean: {mark: '✓', tone: 'good'},
  MISSED: {mark: '✕', tone: 'bad'},
  'FALSE ALARM': {mark: '✕', tone: 'bad'},
};

function drawSins(body) {
  const rows = documentsOf('sins').flatMap(({json}) => json.rows);
  body.replaceChildren(tableOf(
    'Sins of a filesystem, and what told of them', [{name: 'sin'},
      {name: 'result'}, {name: 'locks called unsafe'},
      {name: 'claims that failed'}, {name: 'took', number: true}],
    rows.map((row) => [row.sin || 'none', badge(row.result, kSins),
      row.unsafe, row.trouble || row.failed_claims ||
        (row.unsupported ? `unsupported: ${row.unsupported}` : ''),
      typeof row.duration_s === 'number' ? `${fixed(row.duration_s, 1)} s`
        : '–'])));
}
