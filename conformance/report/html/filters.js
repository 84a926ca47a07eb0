'use strict';
// What the reader wants to see, for all sections at once.

const filter = {place: '', backend: '', worth: '', verdict: '', text: ''};
const kNothingMatches = 'Nothing here matches the filters.';

function wantsPlace(index) {
  return filter.place === '' || filter.place === String(index);
}

function wantsBackend(name) {
  return filter.backend === '' || filter.backend === name;
}

function wantsClaim(claim) {
  const text = filter.text.toLowerCase();
  return (filter.verdict === '' || filter.verdict === claim.verdict) &&
    (text === '' || claim.id.toLowerCase().includes(text) ||
      claim.said.toLowerCase().includes(text));
}

// Whether a cell is one that is looked for.
function wantsCell(cell) {
  if (!wantsPlace(cell.place) || !wantsBackend(cell.backend.name)) return false;
  if (filter.worth !== '' && filter.worth !== cell.backend.worth) return false;
  return (filter.verdict === '' && filter.text === '') ||
    claimsOf(cell).some(wantsClaim);
}

function wantedCells() {
  return cells.filter(wantsCell);
}

// Names of locks that are nowhere in a matrix have no filter: peers, models.
function allBackends() {
  const names = new Set(backendNames);
  for (const {json} of data.documents) {
    for (const one of json.courses || json.explorations || json.series || []) {
      names.add(one.backend);
    }
    for (const one of json.backends || []) names.add(one.name);
  }
  return [...names];
}

function setUpFilters(update) {
  const form = document.getElementById('filters');
  const set = (key) => (value) => {
    filter[key] = value;
    update();
  };
  const any = (word) => ['', `All ${word}`];
  const same = (words) => words.map((word) => [word, word]);
  const search = el('input', {type: 'search', placeholder: 'exclusion, EACCES',
    oninput: () => set('text')(search.value)});
  const runs = cells.length > 0;
  append(form, [
    data.places.length > 0 && choice('Filesystem', [any('filesystems'),
      ...data.places.map((place, i) => [String(i), place.label])],
    set('place')).node,
    choice('Lock', [any('locks'), ...same(allBackends())],
      set('backend')).node,
    runs && choice('Lock is', [any('verdicts'), ...same(Object.keys(kWorth))],
      set('worth')).node,
    runs && choice('Claim is',
      [any('verdicts'), ...same(Object.keys(kVerdicts))],
      set('verdict')).node,
    runs && el('label', {}, 'Claim or message', search),
    el('button', {type: 'reset'}, 'Reset'),
    el('span', {id: 'shown', role: 'status'})].filter(Boolean));
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('reset', () => {
    for (const key of Object.keys(filter)) filter[key] = '';
    // The controls are reset only after this.
    setTimeout(update);
  });
}

function sayWhatIsShown() {
  if (cells.length === 0) return;
  const shown = wantedCells();
  const claims = shown.flatMap(claimsOf).filter(wantsClaim).length;
  document.getElementById('shown').textContent =
    `${shown.length} of ${plural(cells.length, 'cell')}, ` +
    plural(claims, 'finding');
}
