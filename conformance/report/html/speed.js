'use strict';
// What locks cost, how fairly they are shared, and beside whom.

// What distributions are of, in the words of the page.
const kMeasures = {
  latency_ns: 'acquire + release, nobody else',
  wait_ns: 'wait for a contended lock',
  hand_off_ns: 'hand-off to the next',
  hold_ns: 'hold',
  floor_ns: 'the bare system calls',
};
const kShown = ['50', '90', '99', '99.9', '99.99'];

// --- places -----------------------------------------------------------------

// Bars of all locks in all places are too many: those of one place, or of one
// lock in all places.
const chosen = {place: ''};

function choosePlace(places) {
  if (chosen.place === '' || !places.includes(Number(chosen.place))) {
    chosen.place = String(places[0]);
  }
}

function placeChoice(places, onchange) {
  return picker(chosen, onchange)('Filesystem', 'place', places.map((place) =>
    [String(place), data.places[place].label]));
}

// `draw` gets cells, of one place unless it is the places that differ.
function byPlace(body, has, draw) {
  const found = wantedCells().filter(has);
  const places = [...new Set(found.map((cell) => cell.place))];
  if (found.length === 0) {
    body.replaceChildren(el('p', {}, kNothingMatches));
    return;
  }
  const all = filter.backend !== '' || places.length === 1;
  const out = el('div');
  const update = () => {
    draw(out, all ? found : found.filter((cell) =>
      String(cell.place) === chosen.place));
    drawCharts();
  };
  choosePlace(places);
  body.replaceChildren(all ? '' : el('div', {class: 'controls'},
    placeChoice(places, update)), out);
  update();
}

// --- latency ----------------------------------------------------------------

function total(buckets) {
  return buckets.reduce((sum, [, count]) => sum + count, 0);
}

// [how many nines, ns]: 90 % is 1, 99 % is 2; up to the largest value.
function curveOf(buckets) {
  const all = total(buckets);
  const points = [];
  let below = 0;
  for (const [top, count] of buckets) {
    // The share that is larger than what came before.
    points.push({x: -Math.log10(1 - below / all), y: Math.max(top, 1)});
    below += count;
  }
  if (buckets.length > 0) {
    points.push({x: Math.log10(all), y: Math.max(buckets.at(-1)[0], 1)});
  }
  return points;
}

// Shares of equal steps on the log axis.
const kSteps = 16;
function densityOf(buckets) {
  const all = total(buckets);
  const bins = new Map();
  for (const [top, count] of buckets) {
    const bin = Math.floor(Math.log10(Math.max(top, 1)) * kSteps);
    bins.set(bin, (bins.get(bin) || 0) + count);
  }
  const known = [...bins.keys()].sort((a, b) => a - b);
  const points = [];
  for (let bin = known[0] - 1; bin <= known.at(-1) + 1; bin++) {
    points.push({x: 10 ** ((bin + .5) / kSteps),
      y: 100 * (bins.get(bin) || 0) / all});
  }
  return points;
}

function percentileOf(buckets, percent) {
  const rank = total(buckets) * percent / 100;
  let below = 0;
  for (const [top, count] of buckets) {
    below += count;
    if (below >= rank) return top;
  }
  return null;
}

function nines(value) {
  const names = {0.301: '50 %', 1: '90 %', 2: '99 %', 3: '99.9 %',
    4: '99.99 %', 5: '99.999 %', 6: '99.9999 %'};
  return names[Math.round(value * 1000) / 1000] || '';
}

function curveScales(most, times) {
  return () => ({
    x: axis('of all were no longer', {type: 'linear', min: 0, max: most,
      afterBuildTicks: (scale) => {
        scale.ticks = [0, Math.log10(2), 1, 2, 3, 4, 5, 6]
          .filter((value) => value <= scale.max).map((value) => ({value}));
      },
      ticks: {callback: nines, autoSkip: false}}),
    y: timeAxis('time', times),
  });
}

function latencyChart(name, shown, view) {
  const titleOf = (item) => item.length === 0 ? '' : item[0].dataset.label;
  if (view === 'curve') {
    const series = shown.map(({label, buckets}) =>
      ({name: label, points: curveOf(buckets), stepped: 'before'}));
    const most = Math.max(...series.map(({points}) => points.at(-1).x), 1);
    return lineChart(series, curveScales(most, series.flatMap(({points}) =>
      points.map(({y}) => y))), {title: titleOf,
      label: ({raw}) => `${(100 - 100 / 10 ** raw.x).toPrecision(4)} %: ` +
        time(raw.y)});
  }
  const series = shown.map(({label, buckets}) =>
    ({name: label, points: densityOf(buckets), tension: .25}));
  return lineChart(series, () => ({
    x: timeAxis(kMeasures[name] || name, series.flatMap(({points}) =>
      points.map(({x}) => x))),
    y: axis('share of all, %', {beginAtZero: true}),
  }), {title: titleOf, label: ({raw}) =>
    `about ${time(raw.x)}: ${raw.y.toFixed(1)} %`});
}

function percentileTable(caption, shown) {
  return tableOf(caption, [{name: 'lock'},
    ...kShown.map((percent) => ({name: `${percent} %`, number: true})),
    {name: 'samples', number: true}],
  shown.map(({label, buckets}) => [label,
    ...kShown.map((percent) => time(percentileOf(buckets, percent))),
    String(total(buckets))]));
}

const latency = {of: '', view: 'curve'};

function placesWith(has) {
  return [...new Set(cells.filter(has).map((cell) => cell.place))];
}

function hasDistributions(cell) {
  return Object.keys(cell.backend.distributions).length > 0;
}

// What is drawn: the floor beside what stands on it.
function latencySeries(place, of) {
  return cells.filter((cell) => cell.place === place &&
    wantsBackend(cell.backend.name) && total(
    cell.backend.distributions[of] || []) > 0).map(({backend}) =>
    ({label: backend.name, buckets: backend.distributions[of]}));
}

function drawLatency(body) {
  const places = placesWith(hasDistributions).filter(wantsPlace);
  const names = Object.keys(kMeasures).filter((name) => cells.some((cell) =>
    places.includes(cell.place) && cell.backend.distributions[name]));
  if (places.length === 0) {
    body.replaceChildren(el('p', {}, kNothingMatches));
    return;
  }
  choosePlace(places);
  if (!names.includes(latency.of)) latency.of = names[0];
  const out = el('div');
  const draw = () => {
    const shown = latencySeries(Number(chosen.place), latency.of);
    const where = data.places[chosen.place].label;
    const what = kMeasures[latency.of];
    if (shown.length === 0) {
      out.replaceChildren(el('p', {}, kNothingMatches));
      return;
    }
    const [best] = [...shown].sort((a, b) =>
      percentileOf(a.buckets, 50) - percentileOf(b.buckets, 50));
    out.replaceChildren(chartPanel(
      `${what} on ${where}, ${shown.length} locks; the least median is ` +
      `${time(percentileOf(best.buckets, 50))}, of ${best.label}`,
      latencyChart(latency.of, shown, latency.view),
      percentileTable(`${what}, on ${where}`, shown)));
    drawCharts();
  };
  const pick = picker(latency, draw);
  body.replaceChildren(el('div', {class: 'controls'},
    placeChoice(places, draw),
    pick('Of', 'of', names.map((name) => [name, kMeasures[name]])),
    pick('As', 'view', [['curve', 'percentile curves'],
      ['share', 'distributions']])), out);
  draw();
}

// --- beside the floor -------------------------------------------------------

function labelOf(cell, places) {
  return places > 1
    ? `${cell.backend.name} · ${data.places[cell.place].label}`
    : cell.backend.name;
}

function drawFloor(body) {
  byPlace(body, (cell) => cell.backend.latency, drawFloorOf);
}

function drawFloorOf(body, shown) {
  const places = new Set(shown.map((cell) => cell.place)).size;
  const labels = shown.map((cell) => labelOf(cell, places));
  const of = (index) => shown.map((cell) => cell.backend.latency[index]);
  const floors = shown.map((cell) => cell.backend.floor || null);
  const rows = shown.map((cell, i) => [labels[i],
    ...[0, 1, 2, 3, 4].map((at) => time(cell.backend.latency[at])),
    time(floors[i]), floors[i]
      ? (cell.backend.latency[0] / floors[i]).toFixed(2) : '–']);
  const ratios = rows.map((row) => row[7]).filter((text) => text !== '–');
  body.replaceChildren(chartPanel(
    `Acquire and release with nobody else there, ${shown.length} locks` +
    (ratios.length > 0 ? `; medians are ${ratios.reduce((a, b) =>
      Number(a) < Number(b) ? a : b)} to ${ratios.reduce((a, b) =>
      Number(a) > Number(b) ? a : b)} times the bare system calls` : ''),
    rangeChart('acquire + release', labels,
      {name: 'p50 to p99', values: shown.map((cell) =>
        [cell.backend.latency[0], cell.backend.latency[2]])},
      [{name: 'p50', look: {pointStyle: 'circle', color: '--link'},
        values: of(0)},
      {name: 'floor', look: {pointStyle: 'rectRot', color: '--text',
        hollow: true}, values: floors}]),
    tableOf('Acquire and release, nobody else', [{name: 'lock'},
      ...['p50', 'p90', 'p99', 'p99.9', 'most', 'floor', 'p50 / floor']
        .map((name) => ({name, number: true}))], rows), shown.length));
}

// --- hand-off and fairness --------------------------------------------------

function drawFairness(body) {
  byPlace(body, (cell) => cell.backend.contention, drawFairnessOf);
}

function drawFairnessOf(body, shown) {
  const places = new Set(shown.map((cell) => cell.place)).size;
  const labels = shown.map((cell) => labelOf(cell, places));
  const handOff = shown.map(({backend}) =>
    percentileOf(backend.distributions.hand_off_ns || [], 50));
  const jain = shown.map((cell) => cell.backend.contention.jain);
  const rows = shown.map(({backend: {contention}}, i) => [labels[i],
    String(contention.processes), String(contention.acquisitions),
    time(contention.wait[0]), time(contention.wait[2]),
    time(contention.wait[4]), time(handOff[i]), fixed(jain[i], 3),
    String(contention.violations)]);
  const table = () => tableOf('Contention', [{name: 'lock'},
    ...['processes', 'acquisitions', 'wait p50', 'wait p99', 'longest',
      'hand-off p50', 'Jain', 'two held it']
      .map((name) => ({name, number: true}))], rows);
  body.replaceChildren(
    chartPanel(`Waits for a contended lock and hand-offs, ${shown.length} ` +
      'locks',
    rangeChart('wait and hand-off', labels,
      {name: 'wait, p50 to p99', values: shown.map((cell) =>
        [cell.backend.contention.wait[0], cell.backend.contention.wait[2]])},
      [{name: 'hand-off p50', look: {pointStyle: 'triangle', color: '--text'},
        values: handOff}]), table(), shown.length),
    el('h3', {}, 'Shares of the lock'),
    el('p', {class: 'quiet small'}, 'Jain\'s index: 1 if all contenders get ' +
      'the lock equally often, 1/n if one gets it always.'),
    chartPanel(`Jain's index of ${shown.length} locks, from ` +
      `${fixed(Math.min(...jain), 3)} to ${fixed(Math.max(...jain), 3)}`,
    barChart('Jain\'s index', labels, jain, (value) => fixed(value, 4),
      {x: {min: 0, max: 1}}), table(), shown.length));
}

// --- stress runs and peers --------------------------------------------------

function stressRows(json) {
  const recovered = new Map((json.recoveries || []).map((one) =>
    [one.backend, one]));
  return json.courses.filter((course) => wantsBackend(course.backend))
    .map((course) => ({course, metrics: course.metrics || null,
      recovery: recovered.get(course.backend)}));
}

function openCourse({course}) {
  const failures = course.failures || [];
  openSheet(`${course.backend}, ${course.scenario}`,
    facts([['verdict', badge(course.verdict, kVerdicts)],
      ['because', course.reason],
      ...Object.entries(course.parameters || {}).map(([name, value]) =>
        [name, String(value)])]),
    failures.map((failure) => claimArticle({verdict: failure.finding.verdict,
      id: failure.what, level: `round ${failure.round + 1}`,
      said: failure.finding.reason, evidence: failure.finding.evidence,
      replay: failure.replay})));
}

function courseTable(rows, caption) {
  const recoveries = rows.some((row) => row.recovery);
  return tableOf(caption, [{name: 'lock'}, {name: 'verdict'},
    ...['locks/s', 'wait p50', 'wait p99', 'longest', 'hand-off p50',
      'held', 'Jain', ...(recoveries ? ['after SIGKILL'] : [])]
      .map((name) => ({name, number: true}))],
  rows.map((row) => {
    const {course, metrics, recovery} = row;
    return [course.backend, el('button', {type: 'button',
      class: 'link-button', 'aria-haspopup': 'dialog',
      'aria-label': `${course.backend}: ${course.verdict}. Open evidence`,
      onclick: () => openCourse(row)}, badge(course.verdict, kVerdicts)),
    ...(metrics ? [fixed(metrics.acquisitions_per_s, 0),
      time(metrics.wait_ns.p50), time(metrics.wait_ns.p99),
      time(metrics.wait_ns.max), time(metrics.hand_off_ns.p50),
      fixed(metrics.hold_share, 2), fixed(metrics.jain, 3)]
      : ['–', '–', '–', '–', '–', '–', '–']),
    ...(recoveries ? [recovery && recovery.recovered > 0
      ? time(recovery.next_ns.p50)
      : recovery && recovery.kills > 0 ? 'never' : '–'] : [])];
  }));
}

function courseChart(rows, scenario) {
  const measured = rows.filter((row) => row.metrics &&
    row.metrics.wait_ns.p50 > 0);
  if (measured.length === 0) return null;
  const labels = measured.map((row) => row.course.backend);
  return chartPanel(`Waits and hand-offs in the scenario ${scenario}, ` +
    `${measured.length} locks`,
  rangeChart('wait and hand-off', labels,
    {name: 'wait, p50 to p99', values: measured.map(({metrics}) =>
      [metrics.wait_ns.p50, metrics.wait_ns.p99])},
    [{name: 'hand-off p50', look: {pointStyle: 'triangle', color: '--text'},
      values: measured.map(({metrics}) => metrics.hand_off_ns.p50 || null)},
    {name: 'next grant after SIGKILL, p50', look: {pointStyle: 'crossRot',
      color: '--bad'}, values: measured.map(({recovery}) => recovery &&
        recovery.recovered > 0 ? recovery.next_ns.p50 : null)}]),
  courseTable(measured, scenario), measured.length);
}

function drawStress(body) {
  body.replaceChildren();
  for (const {json, name} of documentsOf('stress')) {
    const rows = stressRows(json);
    for (const scenario of new Set(rows.map((row) => row.course.scenario))) {
      const these = rows.filter((row) => row.course.scenario === scenario);
      const parameters = these[0].course.parameters || {};
      append(body, [el('h3', {}, said(`${scenario} on ${json.dir}`)),
        el('p', {class: 'quiet small said'},
          [parameters.processes && plural(parameters.processes, 'process',
            'processes'), parameters.hold && `hold ${parameters.hold}`,
          `seed ${json.seed}`, name].filter(Boolean).join(', ')),
        courseTable(these, ''), courseChart(these, scenario)]);
    }
  }
  if (!body.hasChildNodes()) append(body, [el('p', {}, kNothingMatches)]);
}
