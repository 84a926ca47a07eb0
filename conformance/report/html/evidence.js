'use strict';
// The sheet that opens at the side: what a verdict stands on.

function openSheet(title, ...content) {
  const dialog = document.getElementById('evidence');
  const heading = document.getElementById('evidence-title');
  const body = document.getElementById('evidence-body');
  heading.replaceChildren(said(title));
  body.replaceChildren();
  append(body, content);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  heading.focus();
}

function setUpSheet() {
  const dialog = document.getElementById('evidence');
  document.getElementById('evidence-close').addEventListener('click',
    () => dialog.close());
  // Beside the sheet.
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
}

function linkTo(text) {
  // Whoever wrote the expectation may have written "javascript:".
  return /^https?:\/\//.test(text)
    ? el('a', {href: text, rel: 'noreferrer noopener'}, said(text))
    : said(text);
}

function claimArticle(claim, where) {
  return el('article', {},
    el('h4', {}, badge(claim.verdict, kVerdicts), said(claim.id),
      el('span', {class: 'quiet small'}, claim.level),
      where && el('span', {class: 'quiet'}, said(where))),
    claim.said && el('p', {class: 'said'}, claim.said),
    claim.known && el('p', {class: 'small said'},
      `Expected, says ${claim.where}: ${claim.known} `,
      claim.link && linkTo(claim.link)),
    claim.evidence && el('pre', {class: 'said'}, claim.evidence),
    claim.replay && el('div', {}, el('span', {class: 'small quiet'},
      'Run it again:'), command(claim.replay)));
}

// What holds, in a fold: there is much of it.
function foldOf(title, claims) {
  if (claims.length === 0) return null;
  return el('details', {}, el('summary', {}, title),
    tableOf('', [{name: 'claim'}, {name: 'level'}, {name: 'said'}],
      claims.map((claim) => [claim.id, claim.level, claim.said])));
}

function crashLine(points) {
  if (points.length === 0) return '';
  const good = points.filter((point) => point.verdict === 'pass');
  const worst = points.reduce((a, b) =>
    (b.recovery_ns || 0) > (a.recovery_ns || 0) ? b : a);
  return `${good.length} of ${points.length} points recovered` +
    (worst.recovery_ns ? `, the slowest in ${time(worst.recovery_ns)} ` +
      `(${worst.point})` : '');
}

function cellFacts(cell) {
  const {backend, run} = cell;
  const {latency, floor, contention} = backend;
  return facts([
    ['verdict', badge(backend.worth, kWorth)],
    ['because', backend.reason],
    ['acquire + release', latency &&
      `p50 ${time(latency[0])}, p99 ${time(latency[2])}` + (floor
      ? `; the bare system calls ${time(floor)}: ` +
        `${(latency[0] / floor).toFixed(2)} times`
      : '')],
    ['contention', contention &&
      `${plural(contention.processes, 'process', 'processes')}, ` +
      `${contention.acquisitions} acquisitions, two held it at once ` +
      `${plural(contention.violations, 'time')}; wait p50 ` +
      `${time(contention.wait[0])}, p99 ${time(contention.wait[2])}; ` +
      `Jain ${fixed(contention.jain, 3)}`],
    ['deaths', crashLine(backend.crash)],
    ['when its holder dies', backend.kernel ? 'the kernel frees it'
      : 'the next contender proves the death and breaks it'],
    ['run', `${run.id.slice(0, 8)}, ${run.started}, seed ${run.context.seed}`],
  ]);
}

function openCell(cell) {
  const claims = claimsOf(cell).filter((claim) =>
    filter.text === '' && filter.verdict === '' || wantsClaim(claim));
  const order = Object.keys(kVerdicts);
  const told = claims.filter((claim) =>
    claim.verdict !== 'pass' && claim.verdict !== 'unsupported');
  told.sort((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict));
  const passed = claims.filter((claim) => claim.verdict === 'pass');
  const not = claims.filter((claim) => claim.verdict === 'unsupported');
  openSheet(`${cell.backend.name} on ${data.places[cell.place].label}`,
    cellFacts(cell),
    (filter.text !== '' || filter.verdict !== '') && el('p', {class: 'quiet'},
      'Only the claims that match the filters are listed.'),
    el('h3', {}, told.length === 0 ? 'No claim failed' : 'Claims to look at'),
    told.map((claim) => claimArticle(claim)),
    foldOf(`${passed.length} claims hold`, passed),
    foldOf(`${not.length} claims do not apply`, not),
    el('h3', {}, 'Run it again'), command(replayOf(cell)));
}

// A filesystem of the lab is made anew, elsewhere.
function replayOf({run: {context}, backend}) {
  const where = context.variant
    ? `lab run --fs=${shellWord(context.variant)} -- check`
    : `check --dir=${shellWord(context.dir)}`;
  return `locklab ${where} --profile=${shellWord(context.profile)} ` +
    `--backend=${shellWord(backend.name)} --seed=${context.seed}`;
}

function shellWord(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word
    : `'${word.replaceAll('\'', '\'\\\'\'')}'`;
}

// Every lock and place that a claim was examined for.
function openClaim(id) {
  const found = [];
  const add = (claims, where) => found.push(...claims
    .filter((claim) => claim.id === id).map((claim) => ({claim, where})));
  for (const run of firstRuns.filter((run) => wantsPlace(run.place))) {
    add(run.primitives, data.places[run.place].label);
  }
  for (const {place, backend} of cells) {
    if (!wantsPlace(place) || !wantsBackend(backend.name)) continue;
    add(backend.claims, `${backend.name} on ${data.places[place].label}`);
  }
  const order = Object.keys(kVerdicts);
  found.sort((a, b) =>
    order.indexOf(a.claim.verdict) - order.indexOf(b.claim.verdict));
  const told = found.filter(({claim}) =>
    claim.verdict !== 'pass' && claim.verdict !== 'unsupported');
  const rest = found.filter((one) => !told.includes(one));
  openSheet(id,
    el('p', {class: 'quiet'}, 'What it means, why it matters and how to see ' +
      'it by hand:'),
    command(`locklab explain ${shellWord(id)}`),
    told.map(({claim, where}) => claimArticle(claim, where)),
    rest.length > 0 && tableOf('', [{name: 'where'}, {name: 'verdict'},
      {name: 'said'}], rest.map(({claim, where}) =>
      [where, badge(claim.verdict, kVerdicts), claim.said])));
}
