'use strict';
// What changed from run to run, and where all of it was measured.

const kTrends = {
  p50: {text: 'acquire + release, p50', unit: time, measure: 'latency-p50'},
  p99: {text: 'acquire + release, p99', unit: time, measure: 'latency-p99'},
  floor: {text: 'floor of acquire + release', unit: time, measure: 'floor'},
  wait_p50: {text: 'wait, p50', unit: time, measure: 'wait-p50'},
  wait_p99: {text: 'wait, p99', unit: time, measure: 'wait-p99'},
  jain: {text: 'Jain\'s index', unit: (value) => fixed(value, 3)},
};
const trend = {place: '', of: 'p50'};

function trendRuns(place) {
  return data.trend.filter((run) => run.place === place)
    .sort((a, b) => a.started < b.started ? -1 : 1);
}

function placesWithTrend() {
  return data.places.map((place, i) => i)
    .filter((i) => trendRuns(i).length > 1);
}

function shortDate(started) {
  return started.replace('T', ' ').slice(5, 16);
}

// --- changes ----------------------------------------------------------------

// Of the locks that are shown.
function changesOf(kind, place, host, measure) {
  return data.changes.filter((change) => change.kind === kind &&
    change.place === place && change.host === host &&
    change.measure === measure && wantsBackend(change.backend));
}

// Which of `runs`, told apart by `isRun`, are the first of something new.
function changedAt(changes, backend, runs, isRun) {
  const mine = changes.filter((change) => change.backend === backend);
  return new Set(runs.flatMap((run, i) =>
    mine.some((change) => isRun(run, change)) ? [i] : []));
}

const kStandings = {
  REGRESSED: {mark: '✕', tone: 'bad'},
  better: {mark: '✓', tone: 'good'},
  small: {mark: '–', tone: 'none'},
  accepted: {mark: '–', tone: 'none'},
  'taken back': {mark: '–', tone: 'none'},
};

function changesList(changes, show) {
  if (changes.length === 0) return null;
  return el('ul', {class: 'changes'}, changes.map((change) => {
    const percent = 100 * (change.after / change.before - 1);
    return el('li', {}, badge(change.standing, kStandings), said(` ${change.backend}: ${show(change.before)} → ` +
      `${show(change.after)} (${percent > 0 ? '+' : ''}${fixed(percent, 1)} ` +
      `%) with run ${change.run.slice(0, 8)} of ${change.started}`));
  }));
}

function trendTable(runs, names) {
  return tableOf('The runs', [{name: 'run'}, {name: 'started'},
    {name: 'profile'}, ...names.map((name) => ({name}))],
  runs.map((run) => [run.id.slice(0, 8), run.started,
    run.cut_short ? `${run.profile}, cut short` : run.partial
      ? `${run.profile}, partly` : run.profile,
    ...names.map((name) => {
      const backend = run.backends.find((one) => one.name === name);
      return backend ? [badge(backend.worth, kWorth),
        el('span', {class: 'small'}, ` ${trendText(backend)}`)] : '';
    })]));
}

function trendText(backend) {
  const value = backend[trend.of];
  return value === undefined || value === null ? ''
    : kTrends[trend.of].unit(value);
}

function trendChart(runs, names) {
  const {text, unit, measure} = kTrends[trend.of];
  const {name: place, host} = data.places[runs[0].place];
  const changes = changesOf('check', place, host, measure);
  const labels = runs.map((run) => shortDate(run.started));
  const valueOf = (run, name) => {
    const backend = run.backends.find((one) => one.name === name);
    const value = backend && backend[trend.of];
    return value === undefined ? null : value;
  };
  const config = overRuns(text, labels, names.map((name) =>
    ({name, values: runs.map((run) => valueOf(run, name)),
      changed: changedAt(changes, name, runs, (run, change) =>
        run.id === change.run)})), unit, trend.of === 'jain');
  return [chartPanel(`${text} of ${names.length} locks over ` +
    `${runs.length} runs`, config, trendTable(runs, names)),
  changesList(changes, unit)];
}

function drawTrend(body) {
  const places = placesWithTrend().filter(wantsPlace);
  if (places.length === 0) {
    body.replaceChildren(el('p', {}, kNothingMatches));
    return;
  }
  if (trend.place === '' || !places.includes(Number(trend.place))) {
    trend.place = String(places[0]);
  }
  const out = el('div');
  const draw = () => {
    const runs = trendRuns(Number(trend.place));
    const names = [...new Set(runs.flatMap((run) =>
      run.backends.map((backend) => backend.name)))].filter(wantsBackend);
    out.replaceChildren();
    append(out, names.length > 0 ? trendChart(runs, names)
      : [el('p', {}, kNothingMatches)]);
    drawCharts();
  };
  const pick = picker(trend, draw);
  body.replaceChildren(el('div', {class: 'controls'},
    pick('Filesystem', 'place', places.map((place) =>
      [String(place), data.places[place].label])),
    pick('Of', 'of', Object.entries(kTrends).map(([key, {text}]) =>
      [key, text]))), out);
  draw();
}

// --- environment ------------------------------------------------------------

function environmentOf(run) {
  const {context} = run;
  const mount = [context.type, context.source, context.options]
    .filter(Boolean).join(' ');
  return el('div', {class: 'panel'},
    el('h3', {}, said(data.places[run.place].label)),
    facts([
      ['run', `${run.id}, started ${run.started}, took ` +
        `${fixed(context.duration_s, 1)} s, exit code ${run.exit_code}`],
      ['suite', `locklab ${context.suite}, profile ${context.profile}, ` +
        `${context.chosen} of ${context.total} claims`],
      ['directory', context.dir], ['through another mount',
        context.other_mount],
      ['mounted', mount], ['kernel', context.kernel],
      ['host', `${context.host}, ` +
        plural(context.processors, 'processor')],
      ['versions', Object.entries(context.versions).map(([name, version]) =>
        `${name} ${version}`).join(', ')],
      ['expectations', context.expectations.join(', ')],
      ['canary', run.canary && `${run.canary.name}: ${run.canary.caught
        ? 'caught' : 'GOT AWAY, so that nothing is proven'}: ` +
        run.canary.reason],
      ['cut short', run.cut_short],
      ['required, not to be had', run.missing.join(', ')],
      ['seed', context.seed]]),
    el('span', {class: 'small quiet'}, 'Run it again:'),
    command(/--seed=/.test(context.command) ? context.command
      : `${context.command} --seed=${context.seed}`));
}

function drawEnvironment(body) {
  const runs = data.runs.filter((run) => wantsPlace(run.place));
  body.replaceChildren(...runs.map(environmentOf));
}
