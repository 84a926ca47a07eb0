'use strict';
// The tables of verdicts.

function cellButton(cell) {
  const {backend} = cell;
  const {mark, tone} = kWorth[backend.worth];
  const where = data.places[cell.place].label;
  const p50 = backend.latency && time(backend.latency[0]);
  return el('button', {
    type: 'button',
    class: `cell ${tone}${wantsCell(cell) ? '' : ' faded'}`,
    'data-backend': backend.name,
    'data-worth': backend.worth,
    'aria-haspopup': 'dialog',
    'aria-label': `${backend.name} on ${where}: ${backend.worth}` +
      (p50 ? `, acquire and release p50 ${p50}` : '') + '. Open evidence',
    onclick: () => openCell(cell),
  }, el('span', {class: 'mark', 'aria-hidden': 'true'}, mark), backend.worth,
  p50 && el('span', {class: 'more'}, p50));
}

function useOf(place) {
  const run = data.runs.find((run) => run.place === place && run.use);
  return run ? {backend: run.use.backend || 'none', reason: run.use.reason}
    : null;
}

// Places that say the same are told together.
function advice(places) {
  const told = new Map();
  for (const place of places) {
    const use = useOf(place);
    if (!use) continue;
    const text = `${use.backend}: ${use.reason}`;
    if (!told.has(text)) told.set(text, {use, labels: []});
    told.get(text).labels.push(data.places[place].label);
  }
  if (told.size === 0) return '';
  return [el('h3', {}, 'Which to use'), el('ul', {}, [...told.values()].map(
    ({use, labels}) => el('li', {class: 'said'}, `on ${labels.join(', ')}: `,
      el('b', {}, use.backend), `, ${use.reason}`)))];
}

function placeHeading(index) {
  const run = data.runs.find((run) => run.place === index);
  const {type, options, shared} = run.context;
  const kind = [type, shared && 'shared'].filter(Boolean).join(', ');
  return el('th', {scope: 'row', title: options},
    said(data.places[index].label),
    kind && el('div', {class: 'small quiet said'}, kind),
    run.cut_short && el('div', {class: 'small said'},
      `cut short: ${run.cut_short}`),
    run.context.chosen < run.context.total && el('div', {class: 'small quiet'},
      `partly: ${run.context.chosen} of ${run.context.total} claims`));
}

function drawMatrix(body) {
  const shown = wantedCells();
  const places = [...new Set(shown.map((cell) => cell.place))];
  const names = backendNames.filter((name) =>
    shown.some((cell) => cell.backend.name === name));
  if (shown.length === 0) {
    body.replaceChildren(el('p', {}, kNothingMatches));
    return;
  }
  const head = el('tr', {}, el('th', {scope: 'col'}, 'filesystem'),
    names.map((name) => el('th', {scope: 'col', class: 'said'}, name)),
    el('th', {scope: 'col'}, 'use'));
  const rows = places.map((place) => el('tr', {}, placeHeading(place),
    names.map((name) => {
      const cell = cellAt(place, name);
      return el('td', {}, cell ? cellButton(cell)
        : el('span', {class: 'empty', title: 'not examined'}, ' '));
    }), el('td', {class: 'text said'}, (useOf(place) || {}).backend)));
  body.replaceChildren(scrolling('Verdicts', el('table', {class: 'matrix'},
    el('thead', {}, head), el('tbody', {}, rows))));
  append(body, [advice(places)]);
}

// --- claims -----------------------------------------------------------------

// Per claim: how often which verdict.
function countClaims(lists) {
  const counts = new Map();
  for (const claim of lists.flat().filter(wantsClaim)) {
    if (!counts.has(claim.id)) {
      counts.set(claim.id, {id: claim.id, level: claim.level, of: {}});
    }
    const {of} = counts.get(claim.id);
    of[claim.verdict] = (of[claim.verdict] || 0) + 1;
  }
  const order = Object.keys(kVerdicts);
  const worst = ({of}) => order.findIndex((verdict) => of[verdict]);
  return [...counts.values()].sort((a, b) => worst(a) - worst(b));
}

const kClaimsAtOnce = 12;
let allClaims = false;

function drawClaims(body) {
  const counts = countClaims(wantedCells().map((cell) => cell.backend.claims));
  if (counts.length === 0) {
    body.replaceChildren(el('p', {}, kNothingMatches));
    return;
  }
  const verdicts = Object.keys(kVerdicts).filter((verdict) =>
    counts.some(({of}) => of[verdict]));
  const few = allClaims ? counts : counts.slice(0, kClaimsAtOnce);
  const rows = few.map(({id, level, of}) => [
    el('button', {type: 'button', class: 'link-button said',
      'aria-haspopup': 'dialog', onclick: () => openClaim(id)}, id),
    level,
    ...verdicts.map((verdict) => of[verdict] ? String(of[verdict]) : '')]);
  const more = el('button', {type: 'button', onclick: () => {
    allClaims = !allClaims;
    drawClaims(body);
    body.querySelector('.more-claims').focus();
  }, class: 'more-claims'}, allClaims ? 'Show fewer'
    : `Show all ${counts.length} claims`);
  body.replaceChildren(tableOf('Claims and how many locks have which verdict',
    [{name: 'claim'}, {name: 'level'},
      ...verdicts.map((name) => ({name: badge(name, kVerdicts),
        number: true}))], rows),
  counts.length > kClaimsAtOnce ? more : '');
}

// --- the directory itself ---------------------------------------------------

function primitiveButton(claim) {
  const {mark, tone} = kVerdicts[claim.verdict];
  return el('button', {type: 'button', class: `cell tight ${tone}`,
    'aria-haspopup': 'dialog', title: claim.said,
    onclick: () => openClaim(claim.id)},
  el('span', {class: 'mark', 'aria-hidden': 'true'}, mark), claim.verdict);
}

function drawPrimitives(body) {
  const runs = firstRuns.filter((run) => wantsPlace(run.place));
  const counts = countClaims(runs.map((run) => run.primitives));
  if (counts.length === 0) {
    body.replaceChildren(el('p', {}, kNothingMatches));
    return;
  }
  const head = el('tr', {}, el('th', {scope: 'col'}, 'primitive'),
    runs.map((run) => el('th', {scope: 'col', class: 'said'},
      data.places[run.place].label)));
  const rows = counts.map(({id}) => el('tr', {},
    el('th', {scope: 'row', class: 'said'}, id),
    runs.map((run) => {
      const claim = run.primitives.find((one) => one.id === id);
      return el('td', {}, claim ? primitiveButton(claim) : '');
    })));
  body.replaceChildren(scrolling('Primitives',
    el('table', {class: 'matrix'}, el('thead', {}, head),
      el('tbody', {}, rows))));
}
