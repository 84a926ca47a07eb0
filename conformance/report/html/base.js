'use strict';
// What every part of the page stands on: the data, elements, words.

// --- elements ---------------------------------------------------------------

// Texts become text nodes: nothing in the data is ever read as markup.
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === 'onclick' || key === 'oninput' || key === 'onchange') {
      node.addEventListener(key.slice(2), value);
    } else {
      node.setAttribute(key, value === true ? '' : value);
    }
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    // What a condition left.
    if (child === null || child === undefined || child === false ||
        child === '') continue;
    node.append(child);
  }
}

function said(text) {
  return el('span', {class: 'said'}, text);
}

function scrolling(label, table) {
  return el('div', {class: 'scroll', role: 'region', tabindex: '0',
    'aria-label': label}, table);
}

// A table of texts or elements. columns: [{name, number}]; rows: arrays, whose
// first item names the row.
function tableOf(caption, columns, rows) {
  const head = columns.map((column) =>
    el('th', {scope: 'col', class: column.number && 'number'}, column.name));
  const body = rows.map((row) => el('tr', {}, row.map((value, i) => i === 0
    ? el('th', {scope: 'row', class: 'said'}, value)
    : el('td', {class: columns[i].number ? 'number' : 'said'}, value))));
  return scrolling(caption, el('table', {},
    caption && el('caption', {}, caption),
    el('thead', {}, el('tr', {}, head)), el('tbody', {}, body)));
}

function choice(label, options, onchange) {
  const select = el('select', {onchange: () => onchange(select.value)},
    options.map(([value, text]) => el('option', {value}, text)));
  return {node: el('label', {}, label, select), select};
}

// Makes choices of what is in `state`, each named by its key there.
function picker(state, draw) {
  return (label, key, options) => {
    const {node, select} = choice(label, options, (value) => {
      state[key] = value;
      draw();
    });
    select.value = state[key];
    return node;
  };
}

function command(text) {
  const button = el('button', {type: 'button', onclick: async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = 'Copied';
    } catch (error) {
      // Not every browser lets a file write there.
      getSelection().selectAllChildren(code);
      button.textContent = 'Selected';
    }
  }}, 'Copy');
  const code = el('pre', {class: 'said'}, text);
  return el('div', {class: 'command'}, code, button);
}

function facts(pairs) {
  const shown = pairs.filter(([, value]) =>
    value !== null && value !== undefined && value !== '');
  return el('dl', {class: 'facts'}, shown.map(([name, value]) =>
    [el('dt', {}, name), el('dd', {class: 'said'}, value)]));
}

// --- numbers ----------------------------------------------------------------

function time(ns) {
  if (ns === null || ns === undefined || !isFinite(ns)) return '–';
  for (const [unit, size] of [['s', 1e9], ['ms', 1e6], ['µs', 1e3]]) {
    if (ns >= size) return `${(ns / size).toPrecision(3)} ${unit}`;
  }
  return `${Math.round(ns)} ns`;
}

function fixed(value, digits) {
  return typeof value === 'number' ? value.toFixed(digits) : '–';
}

function plural(count, word, words = `${word}s`) {
  return `${count} ${count === 1 ? word : words}`;
}

// --- words ------------------------------------------------------------------

const kWorth = {
  safe: {mark: '✓', tone: 'good'},
  unsafe: {mark: '✕', tone: 'bad'},
  unsupported: {mark: '–', tone: 'none'},
  inconclusive: {mark: '?', tone: 'doubt'},
};

// In the order in which they are told: what asks for attention comes first.
const kVerdicts = {
  fail: {mark: '✕', tone: 'bad'},
  xpass: {mark: '!', tone: 'bad'},
  inconclusive: {mark: '?', tone: 'doubt'},
  xfail: {mark: '≈', tone: 'doubt'},
  unsupported: {mark: '–', tone: 'none'},
  pass: {mark: '✓', tone: 'good'},
};

function badge(word, of) {
  const {mark, tone} = of[word] || {mark: '?', tone: 'doubt'};
  return el('span', {class: `verdict ${tone}`},
    el('span', {class: 'mark', 'aria-hidden': 'true'}, mark), word);
}

// --- the data ---------------------------------------------------------------

// [largest value, count] of each bucket, from differences and counts.
function bucketsOf(flat) {
  const buckets = [];
  for (let i = 0, top = 0; i < flat.length; i += 2) {
    top += flat[i];
    buckets.push([top, flat[i + 1]]);
  }
  return buckets;
}

// What the page shows, with the texts in their places.
function readData() {
  const data = JSON.parse(document.getElementById('data').textContent);
  const text = (index) => index === undefined ? '' : data.texts[index];
  const claimOf = ([id, level, verdict, said, more = {}], carries = []) => ({
    id: text(id), level: text(level), verdict: text(verdict), said: text(said),
    evidence: text(more.evidence), replay: text(more.replay),
    known: text(more.known), link: text(more.link), where: text(more.where),
    carries});
  for (const run of data.runs) {
    run.primitives = run.primitives.map(({claim, carries}) =>
      claimOf(claim, carries));
    for (const backend of run.backends) {
      backend.claims = backend.claims.map((claim) => claimOf(claim));
      for (const [of, flat] of Object.entries(backend.distributions)) {
        backend.distributions[of] = bucketsOf(flat);
      }
      backend.crash = backend.crash.map(
        ([point, waiters, call, verdict, reason, ns]) =>
          ({point: text(point), waiters, call: text(call),
            verdict: text(verdict), reason: text(reason), recovery_ns: ns}));
    }
  }
  for (const run of data.trend) {
    run.backends = run.backends.map(([name, worth, ...numbers]) => ({
      name: text(name), worth: text(worth), ...Object.fromEntries(
        ['p50', 'p99', 'floor', 'wait_p50', 'wait_p99', 'jain'].map(
          (key, i) => [key, numbers[i]]))}));
  }
  for (const {kind, json} of data.documents) {
    if (kind !== 'bench') continue;
    for (const series of json.series) {
      series.buckets = bucketsOf(series.buckets || []);
    }
  }
  const hosts = new Set(data.places.map((place) => place.host));
  for (const place of data.places) {
    place.label = hosts.size > 1 ? `${place.name} on ${place.host}`
      : place.name;
  }
  return data;
}

const data = readData();

// One lock in one place, by the run that says most of it.
const cells = data.runs.flatMap((run) => run.backends.map((backend) =>
  ({place: run.place, run, backend})));
const backendNames = [...new Set(cells.map((cell) => cell.backend.name))];

// Of each place the run that says most of it.
const firstRuns = data.runs.filter((run, i) =>
  data.runs.findIndex((other) => other.place === run.place) === i);

function cellAt(place, name) {
  return cells.find((cell) =>
    cell.place === place && cell.backend.name === name);
}

// The claims that decide on a lock: its own, and those of the directory that
// carry it.
function claimsOf(cell) {
  return [...cell.backend.claims, ...cell.run.primitives.filter((claim) =>
    claim.carries.includes(cell.backend.name))];
}

function documentsOf(kind) {
  return data.documents.filter((one) => one.kind === kind);
}
