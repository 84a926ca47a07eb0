'use strict';
// The page: its sections, those that have something to show.

const kSections = [
  {id: 'verdicts', title: 'Verdicts', draw: drawMatrix,
    has: () => cells.length > 0,
    lead: 'Which lock is worth what on which filesystem, by the last whole ' +
      'run that examined it; the time is the median of acquire and release. ' +
      'Open a cell to see what its verdict stands on.'},
  {id: 'claims', title: 'Claims', draw: drawClaims,
    has: () => cells.some((cell) => cell.backend.claims.length > 0),
    lead: 'What was examined of the locks, and how many have which verdict. ' +
      'Those that ask for attention come first.'},
  {id: 'directory', title: 'The filesystems themselves', draw: drawPrimitives,
    has: () => firstRuns.some((run) => run.primitives.length > 0),
    lead: 'The bare calls that locks stand on.'},
  {id: 'latency', title: 'Latency', draw: drawLatency,
    has: () => cells.some(hasDistributions),
    lead: 'Whole distributions, on a log axis: each point of a curve says ' +
      'how many of all were no longer than that.'},
  {id: 'floor', title: 'Beside the bare system calls', draw: drawFloor,
    has: () => cells.some((cell) => cell.backend.latency),
    lead: 'One process acquires and releases; the floor is the same system ' +
      'calls without a library around them, measured by turns with it.'},
  {id: 'fairness', title: 'Hand-off and fairness', draw: drawFairness,
    has: () => cells.some((cell) => cell.backend.contention),
    lead: 'Many processes want the lock all the time. A hand-off is from a ' +
      'release to the grant of the next.'},
  {id: 'stress', title: 'Under load, and beside others', draw: drawStress,
    has: () => documentsOf('stress').length > 0,
    lead: 'Scenarios of locklab stress; names with a colon are locks that ' +
      'others wrote.'},
  {id: 'benchmarks', title: 'Benchmarks', draw: drawBench,
    has: () => documentsOf('bench').some(({json}) => json.series.length > 0),
    lead: 'Samples of locklab bench, less is better; a lock that was not ' +
      'correct meanwhile is named.'},
  {id: 'deaths', title: 'Deaths in the middle of operations', draw: drawCrash,
    has: () => crashMaps().length > 0,
    lead: 'A process is killed before or after a system call of the lock; ' +
      'the time is how long it took until another was granted the lock.'},
  {id: 'explorer', title: 'All interleavings', draw: drawExplore,
    has: () => documentsOf('explore').length > 0,
    lead: 'The locks\' own code, searched exhaustively over models of ' +
      'filesystems. A counterexample opens as the calls that lead to it.'},
  {id: 'sins', title: 'Sins', draw: drawSins,
    has: () => documentsOf('sins').length > 0,
    lead: 'A filesystem that misbehaves on request: is it noticed?'},
  {id: 'trend', title: 'From run to run', draw: drawTrend,
    has: () => placesWithTrend().length > 0,
    lead: 'All runs of one filesystem, the oldest first.'},
  {id: 'environment', title: 'Where, and how to run it again',
    draw: drawEnvironment, has: () => data.runs.length > 0, lead: ''},
];

function countWorth() {
  return Object.keys(kWorth).map((word) =>
    [word, cells.filter((cell) => cell.backend.worth === word).length])
    .filter(([, count]) => count > 0);
}

function drawSummary() {
  const out = document.getElementById('summary');
  if (cells.length > 0) {
    append(out, [el('p', {}, countWorth().map(([word, count]) =>
      [`${count} `, badge(word, kWorth), ' ']),
    ` of ${plural(backendNames.length, 'lock')} on ` +
      plural(data.places.length, 'filesystem'))]);
  }
  if (data.left_out > 0) {
    append(out, [el('p', {class: 'quiet small'}, `${data.left_out} older ` +
      'runs are left out of the trends; the results store has them.')]);
  }
  if (data.shortened) {
    append(out, [el('p', {class: 'quiet small'}, 'Long texts were cut, so ' +
      'that this page stays small; the results store has all of them.')]);
  }
}

// A section that fails says so, and takes no other with it.
function drawSection(section) {
  try {
    section.draw(section.body);
  } catch (error) {
    console.error(section.id, error);
    section.body.replaceChildren(el('p', {class: 'said'},
      `This part cannot be shown: ${error.message}`));
  }
}

function setUpSections() {
  const main = document.getElementById('main');
  const sections = kSections.filter((section) => section.has());
  for (const section of sections) {
    section.body = el('div');
    append(main, [el('section', {id: section.id,
      'aria-labelledby': `${section.id}-title`},
    el('h2', {id: `${section.id}-title`}, section.title),
    section.lead && el('p', {class: 'lead'}, section.lead), section.body)]);
  }
  append(document.getElementById('contents'), [el('ul', {}, sections.map(
    ({id, title}) => el('li', {}, el('a', {href: `#${id}`}, title))))]);
  return sections;
}

// As the system has it, until the reader says otherwise.
function setUpTheme() {
  const button = document.getElementById('theme');
  const system = matchMedia('(prefers-color-scheme: dark)');
  let chosen = null;
  const apply = () => {
    const dark = chosen === null ? system.matches : chosen === 'dark';
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    button.textContent = dark ? 'Light colours' : 'Dark colours';
    redrawCharts();
  };
  button.addEventListener('click', () => {
    chosen = document.documentElement.dataset.theme === 'dark' ? 'light'
      : 'dark';
    apply();
  });
  system.addEventListener('change', apply);
  apply();
}

function main() {
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  const sections = setUpSections();
  const update = () => {
    for (const section of sections) drawSection(section);
    drawCharts();
    sayWhatIsShown();
  };
  setUpFilters(update);
  setUpSheet();
  setUpTheme();
  drawSummary();
  // A name has its colour whatever is shown first.
  for (const name of allBackends()) lookOf(name);
  update();
}

main();
