'use strict';
// Samples of locklab bench: one measure of one run, or from run to run.

const bench = {run: '', measure: ''};

// The newest first.
function benchRuns() {
  return documentsOf('bench').filter(({json}) => !json.brief).sort((a, b) =>
    (b.json.started || '') < (a.json.started || '') ? -1 : 1);
}

function benchLabel({json, name}) {
  return [json.place || name, json.started].filter(Boolean).join(', ');
}

// "processes/8" and "processes/16" are points of one scale.
function scaleOf(measure) {
  const [, name, number] = measure.match(/^(.*)\/(\d+)$/) || [];
  return name === undefined ? null : {name, number: Number(number)};
}

function seriesOf(json, measure) {
  return json.series.filter((series) => series.measure === measure &&
    series.samples.length > 0 && wantsBackend(series.backend));
}

function unitOf(series) {
  const unit = series.unit || 'ns';
  return unit === 'ns' ? time
    : (value) => `${Number(value.toPrecision(3))} ${unit}`;
}

function measuresOf(runs) {
  const names = runs.flatMap(({json}) => json.series).map(({measure}) => {
    const scale = scaleOf(measure);
    return scale ? `${scale.name}/` : measure;
  });
  return [...new Set(names)];
}

function measureTable(measure, rows) {
  return tableOf(measure, [{name: 'lock'},
    ...['median', 'least', 'most', 'samples'].map((name) =>
      ({name, number: true}))], rows.map((series) => {
    const show = unitOf(series);
    const {backend, samples} = series;
    return [backend, show(median(samples)), show(Math.min(...samples)),
      show(Math.max(...samples)), String(samples.length)];
  }));
}

function floorsOf(json, rows) {
  return rows.map(({backend}) => {
    const floor = seriesOf(json, 'floor').find((series) =>
      series.backend === backend);
    return floor ? median(floor.samples) : null;
  });
}

function measureChart(json, measure, rows) {
  const floors = measure === 'uncontended' ? floorsOf(json, rows) : [];
  return chartPanel(`${measure}, ${rows.length} locks`,
    rangeChart(measure, rows.map(({backend}) => backend),
      {name: 'least to most', values: rows.map(({samples}) =>
        [Math.min(...samples), Math.max(...samples)])},
      [{name: 'median', look: {pointStyle: 'circle', color: '--link'},
        values: rows.map(({samples}) => median(samples))},
      ...(floors.some((floor) => floor !== null) ? [{name: 'floor',
        values: floors,
        look: {pointStyle: 'rectRot', color: '--text', hollow: true}}] : [])],
      unitOf(rows[0])),
    measureTable(measure, rows), rows.length);
}

// What the samples are medians of, where that is known.
function measureCurves(measure, rows) {
  const known = rows.filter(({buckets}) => total(buckets) > 0);
  if (known.length === 0) return null;
  const shown = known.map(({backend, buckets}) =>
    ({label: backend, buckets}));
  return chartPanel(`${measure}, percentile curves of ${shown.length} locks`,
    latencyChart(measure, shown, 'curve'), percentileTable(measure, shown));
}

function scalePart(json, name) {
  const points = json.series.filter((series) => {
    const scale = scaleOf(series.measure);
    return scale && scale.name === name && series.samples.length > 0 &&
      wantsBackend(series.backend);
  }).map((series) => ({...series, number: scaleOf(series.measure).number,
    value: median(series.samples)}));
  if (points.length === 0) return null;
  const numbers = [...new Set(points.map(({number}) => number))]
    .sort((a, b) => a - b);
  const names = [...new Set(points.map(({backend}) => backend))];
  const at = (backend, number) => points.find((point) =>
    point.backend === backend && point.number === number);
  const show = unitOf(points[0]);
  const series = names.map((backend) => ({name: backend,
    pointRadius: 4, points: numbers.map((number) => at(backend, number))
      .filter(Boolean).map(({number, value}) => ({x: number, y: value}))}));
  const config = lineChart(series, () => ({
    x: logAxis(name, numbers, String),
    y: logAxis('median', points.map(({value}) => value), show),
  }), {title: (items) => items.length > 0 ? items[0].dataset.label : '',
    label: ({raw}) => `${raw.x} ${name}: ${show(raw.y)}`});
  return chartPanel(`${names.length} locks against ${name}, ` +
    `${numbers[0]} to ${numbers.at(-1)}`, config,
  tableOf(`Medians against ${name}`, [{name: 'lock'},
    ...numbers.map((number) => ({name: String(number), number: true}))],
  names.map((backend) => [backend, ...numbers.map((number) => {
    const point = at(backend, number);
    return point ? show(point.value) : '–';
  })])));
}

function benchPart(json, measure) {
  if (measure.endsWith('/')) return scalePart(json, measure.slice(0, -1));
  const rows = seriesOf(json, measure);
  if (rows.length === 0) return null;
  return [measureChart(json, measure, rows), measureCurves(measure, rows)];
}

// --- from run to run --------------------------------------------------------

// Runs in other surroundings say nothing of this one.
function surroundings({json}) {
  const {host, kernel, processors, filesystem} = json.environment;
  return [json.place, host, kernel, processors, filesystem].join('\n');
}

function benchTrend(run, measure) {
  const runs = documentsOf('bench').filter((other) =>
    surroundings(other) === surroundings(run) &&
    seriesOf(other.json, measure).length > 0).sort((a, b) =>
    (a.json.started || '') < (b.json.started || '') ? -1 : 1);
  if (runs.length < 2) return null;
  const names = [...new Set(runs.flatMap(({json}) =>
    seriesOf(json, measure).map(({backend}) => backend)))];
  const valueOf = ({json}, backend) => {
    const series = seriesOf(json, measure).find((one) =>
      one.backend === backend);
    return series ? median(series.samples) : null;
  };
  const show = unitOf(seriesOf(runs[0].json, measure)[0]);
  const changes = changesOf('bench', run.json.place,
    run.json.environment.host, measure);
  const isRun = ({json}, {started}) => json.started === started;
  const table = tableOf(`${measure}, medians`, [{name: 'run'},
    ...names.map((name) => ({name, number: true}))],
  runs.map((one) => [one.json.started || one.name, ...names.map((name) => {
    const value = valueOf(one, name);
    return value === null ? '–' : show(value);
  })]));
  return [el('h3', {}, 'From run to run'), chartPanel(
    `${measure} of ${names.length} locks over ${runs.length} runs`,
    overRuns(measure, runs.map(({json, name}) =>
      json.started ? shortDate(json.started) : name), names.map((name) =>
      ({name, values: runs.map((one) => valueOf(one, name)),
        changed: changedAt(changes, name, runs, isRun)})), show), table),
  changesList(changes, show)];
}

function drawBench(body) {
  const runs = benchRuns();
  const measures = measuresOf(runs);
  if (!measures.includes(bench.measure)) bench.measure = measures[0];
  if (!runs[bench.run]) bench.run = '0';
  const out = el('div');
  const draw = () => {
    const run = runs[bench.run];
    const {environment, locks} = run.json;
    out.replaceChildren(el('p', {class: 'quiet small said'},
      Object.entries(environment).map(([key, value]) =>
        `${key} ${value}`).join(', ')),
    ...locks.filter((lock) => lock.verdict !== 'pass').map((lock) =>
      el('p', {}, badge(lock.verdict, kVerdicts),
        said(` ${lock.backend}: ${lock.reason}`))));
    append(out, [benchPart(run.json, bench.measure) ||
      el('p', {}, kNothingMatches), benchTrend(run, bench.measure)]);
    drawCharts();
  };
  const pick = picker(bench, draw);
  body.replaceChildren(el('div', {class: 'controls'},
    pick('Run', 'run', runs.map((run, i) => [String(i), benchLabel(run)])),
    pick('Measure', 'measure', measures.map((name) => [name,
      name.endsWith('/') ? `against ${name.slice(0, -1)}` : name]))), out);
  draw();
}
