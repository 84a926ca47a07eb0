'use strict';
// Charts in the colours of the page, each with what it shows as a table.

// Told apart by those who see fewer colours, too (Okabe and Ito); beyond them,
// and beside them, shapes and dashes tell.
const kHues = ['#0072b2', '#e69f00', '#009e73', '#d55e00', '#cc79a7',
  '#56b4e9', '#8c6d1f', '#7a5fc0', '#878d92'];
const kShapes = ['circle', 'triangle', 'rect', 'rectRot', 'star', 'crossRot'];
const kDashes = [[], [6, 3], [2, 2], [10, 3, 2, 3]];

const seriesOrder = [];

// The same for a name in every chart.
function lookOf(name) {
  if (!seriesOrder.includes(name)) seriesOrder.push(name);
  const index = seriesOrder.indexOf(name);
  const color = kHues[index % kHues.length];
  return {
    borderColor: color,
    backgroundColor: color,
    pointStyle: kShapes[index % kShapes.length],
    borderDash: kDashes[Math.floor(index / kHues.length) % kDashes.length],
    borderWidth: 2,
  };
}

function ink(name) {
  return getComputedStyle(document.documentElement)
    .getPropertyValue(name).trim();
}

// Of a log axis: 1, 2 and 5 of each power of ten, or 1 alone where there are
// many of them.
function logTicks(scale) {
  const digits = scale.max / scale.min > 2000 ? [1] : [1, 2, 5];
  scale.ticks = scale.ticks.filter(({value}) => {
    const digit = value / 10 ** Math.floor(Math.log10(value) + 1e-9);
    return digits.includes(Math.round(digit * 100) / 100);
  });
}

function axis(title, extra) {
  return {
    title: {display: true, text: title, color: ink('--quiet')},
    grid: {color: ink('--line')},
    ...extra,
    ticks: {color: ink('--quiet'), maxRotation: 0, ...(extra || {}).ticks},
  };
}

// `values` are those to be seen, some of which may be missing; `show` tells of
// one.
function logAxis(title, values, show) {
  const some = values.filter((value) => value > 0);
  return axis(title, {type: 'logarithmic', min: Math.min(...some) * .8,
    max: Math.max(...some) * 1.25, afterBuildTicks: logTicks,
    ticks: {callback: (value) => show(value).replace(/\.0+ /, ' '),
      autoSkip: true}});
}

function timeAxis(title, values) {
  return logAxis(title, values, time);
}

const charts = new Set();

// `summary` is what the chart says, for those who do not see it; `table` is all
// of it. `config` is made anew when the colours change. `rows` makes a chart of
// bars as high as it needs.
function chartPanel(summary, config, table, rows) {
  const canvas = el('canvas', {role: 'img', 'aria-label': summary});
  const box = el('div', {class: 'chart'}, canvas);
  if (rows) box.classList.add('tall');
  const panel = el('div', {class: 'panel'}, box,
    el('details', {}, el('summary', {}, 'The same as a table'), table));
  // The style attribute is not for markup here, but for scripts.
  if (rows) box.style.height = `${5.5 + rows * 1.9}rem`;
  charts.add({canvas, config, chart: null});
  return panel;
}

// Draws those that are on the page, forgets those that are not any more.
function drawCharts() {
  for (const one of charts) {
    if (!one.canvas.isConnected) {
      if (one.chart) one.chart.destroy();
      charts.delete(one);
    } else if (!one.chart) {
      one.chart = new Chart(one.canvas, one.config());
    }
  }
}

function redrawCharts() {
  for (const one of charts) {
    if (one.chart) one.chart.destroy();
    one.chart = null;
  }
  drawCharts();
}

function options(scales, tooltip, more) {
  return {
    animation: false,
    responsive: true,
    maintainAspectRatio: false,
    interaction: {mode: 'nearest', intersect: false},
    scales,
    plugins: {
      legend: {labels: {color: ink('--text'), usePointStyle: true,
        boxHeight: 8, pointStyleWidth: 11,
        padding: 14}},
      tooltip: {callbacks: tooltip},
    },
    ...more,
  };
}

function median(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]
    : (sorted[middle - 1] + sorted[middle]) / 2;
}

function lineChart(series, scales, tooltip) {
  return () => ({
    type: 'line',
    data: {datasets: series.map(({name, points, ...more}) => ({
      label: name, data: points, ...lookOf(name), pointHitRadius: 8,
      // Marks now and then tell what colours alone may not.
      pointRadius: ({dataIndex}) => dataIndex % 12 === 6 ? 4 : 0, ...more}))},
    options: options(scales(), tooltip),
  });
}

// A line from a low to a high value for each row, on a log axis, and marks on
// it: marks: [{name, look, values}] of one value a row or null.
function rangeChart(title, labels, ranges, marks, show = time) {
  const seen = marks.filter(({values}) => values.some((value) => value > 0));
  const tooltip = {label: (item) => {
    const value = item.raw;
    return Array.isArray(value)
      ? `${item.dataset.label}: ${show(value[0])} to ${show(value[1])}`
      : `${item.dataset.label}: ${show(value.x)}`;
  }};
  return () => ({
    data: {
      labels,
      datasets: [
        ...seen.map(({name, look, values}) => ({
          type: 'scatter',
          label: name,
          data: values.map((value, i) => ({x: value, y: labels[i]}))
            .filter(({x}) => x !== null && x !== undefined),
          pointRadius: 5,
          pointStyle: look.pointStyle,
          borderColor: ink(look.color),
          backgroundColor: look.hollow ? ink('--panel') : ink(look.color),
          borderWidth: 2,
        })),
        {
          type: 'bar',
          label: ranges.name,
          data: ranges.values,
          backgroundColor: `${kHues[5]}99`,
          borderColor: kHues[0],
          borderWidth: 1,
          barThickness: 8,
          pointStyle: 'rect',
        },
      ],
    },
    options: options({
      x: logAxis(title, [...ranges.values.flat(),
        ...marks.flatMap(({values}) => values)], show),
      y: {type: 'category', labels, offset: true,
        grid: {color: ink('--line')}, ticks: {color: ink('--text')}},
    }, tooltip, {indexAxis: 'y',
      interaction: {mode: 'nearest', intersect: true}}),
  });
}

// series: [{name, values}], one value or null a run.
// changed: the places in `values` from which on it is another number.
function overRuns(title, labels, series, show, linear) {
  const ring = (changed, some, others) => ({dataIndex}) =>
    changed && changed.has(dataIndex) ? some : others;
  return () => ({
    type: 'line',
    data: {labels, datasets: series.map(({name, values, changed}) => ({
      label: name, data: values, spanGaps: true, ...lookOf(name),
      pointRadius: ring(changed, 9, 4),
      pointBorderWidth: ring(changed, 3, 1),
      pointBorderColor: ring(changed, ink('--text'), lookOf(name).borderColor),
    }))},
    options: options({
      x: axis('run', {ticks: {autoSkip: true}}),
      y: linear ? axis(title)
        : logAxis(title, series.flatMap(({values}) => values), show),
    }, {label: (item) => `${item.dataset.label}: ${show(item.raw)}`}),
  });
}

function barChart(title, labels, values, format, extra) {
  return () => ({
    type: 'bar',
    data: {labels, datasets: [{label: title, data: values, barThickness: 14,
      backgroundColor: kHues[0]}]},
    options: {
      ...options({
        x: axis(title, extra && extra.x),
        y: {grid: {display: false}, ticks: {color: ink('--text')}},
      }, {label: (item) => format(item.raw)}, {indexAxis: 'y'}),
      plugins: {legend: {display: false},
        tooltip: {callbacks: {label: (item) => format(item.raw)}}},
    },
  });
}
