// Heatmaps: the cell under the mouse or the keyboard's cursor says what it is and shows its training; the
// same settings are marked in the other panels, and where a method has other settings, those it shares.

const maps = [];
document.querySelectorAll('figure:has(svg[data-grid])').forEach(figure => {
  figure.querySelectorAll('svg[data-grid]').forEach(svg => {
    const [left, top, wide, high, columns, lines] = svg.dataset.grid.split(' ').map(Number);
    maps.push({ figure, svg, left, top, wide, high, columns, lines, first: Number(svg.dataset.first) });
  });
});

/** The cells of a map, from the lowest line as in the data, where one is a row without a seed and then its seeds. */
const cellOf = (map, cell) => (map.cells ??= readCells(map))[cell];
const readCells = map => {
  const [head, ...rows] = rowsOf(map.figure);
  const all = map.figure.cells ??= rows.reduce((cells, row) => {
    const of = Object.fromEntries(head.map((name, i) => [name, row[i]]));
    if (of.seed === '') cells.push({ ...of, settings: [[of.x_name, of.x], [of.y_name, of.y]], each: [] });
    else cells.at(-1).each.push(of);
    return cells;
  }, []);
  return all.slice(map.first, map.first + map.columns * map.lines);
};

const shown = ({ metric, state, value }) => {
  if (state !== 'value') return said(state);
  return metric.includes('accuracy') ? `${(100 * value).toFixed(1)} %` : few(value);
};
const cellWords = (map, cell) => {
  const of = cellOf(map, cell);
  const lines = [
    map.svg.querySelector('title').textContent,
    of.settings.map(([name, value]) => `${said(name)} ${value}`).join(', '),
    of.state === 'value' ? `${said(of.metric)} ${shown(of)}${of.good === 'true' ? ', good' : ''}` : shown(of),
  ];
  if (of.each.length > 1) lines.push(`seeds ${of.each.map(shown).join(', ')}`);
  return lines.join('\n');
};

const rectangle = (map, cell, name) => {
  const [column, line] = [cell % map.columns, Math.floor(cell / map.columns)];
  const y = map.top + map.high * (map.lines - 1 - line);
  draw('rect', { class: `chosen ${name}`, x: map.left + map.wide * column, y, width: map.wide, height: map.high }, map.svg);
};
const unmark = () => document.querySelectorAll('svg[data-grid] .chosen').forEach(mark => mark.remove());
const mark = (map, cell) => {
  unmark();
  const of = cellOf(map, cell);
  for (const other of maps) {
    // Maps of one table, which may be of several slices.
    if (other.figure.id.replace(/-\d+$/, '') !== map.figure.id.replace(/-\d+$/, '')) continue;
    for (let i = 0; i < other.columns * other.lines; i++) {
      const its = cellOf(other, i);
      const shared = its.settings.filter(([name]) => of.settings.some(([own]) => own === name));
      if (!shared.length || shared.some(([name, value]) => of.settings.some(([own, its]) => own === name && its !== value))) continue;
      rectangle(other, i, shared.length === of.settings.length && its.method === of.method ? 'cursor' : 'alike');
    }
  }
};

const training = (map, cell) => {
  const distances = map.svg.dataset.configurations.split(' ');
  if (distances[cell] === '-') return null;
  const configuration = distances.slice(0, cell + 1).reduce((sum, distance) => sum + (distance === '-' ? 0 : Number(distance)), 0);
  const drawing = sketched(configuration, 250, 96, true);
  if (!drawing) return null;
  const box = make('div', null, null, { className: 'training' });
  make('div', 'Mini-batch loss (nats), lowest to highest of all seeds:', box);
  box.append(drawing);
  return box;
};
const present = (map, cell, at) => {
  mark(map, cell);
  showTip(cellWords(map, cell), at, training(map, cell));
};
const boxOf = map => {
  const [x, y, width, height] = ['x', 'y', 'width', 'height'].map(name => Number(map.svg.querySelector('.cursor:last-of-type, .cursor')?.getAttribute(name) ?? 0));
  const matrix = map.svg.getScreenCTM();
  const [from, to] = [new DOMPoint(x, y).matrixTransform(matrix), new DOMPoint(x + width, y + height).matrixTransform(matrix)];
  return { left: from.x, top: from.y, right: to.x, bottom: to.y };
};

let pinned = null;
const pin = (map, cell) => {
  pinned = map && { map, cell };
  if (map) remember(map.figure.id, { cell: `${map.svg.id}.${cell}` });
};
for (const map of maps) {
  const { svg } = map;
  let cursor = 0;
  const under = event => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const [column, line] = [Math.floor((at.x - map.left) / map.wide), map.lines - 1 - Math.floor((at.y - map.top) / map.high)];
    return column >= 0 && column < map.columns && line >= 0 && line < map.lines ? line * map.columns + column : null;
  };
  svg.addEventListener('pointermove', event => {
    const cell = under(event);
    if (cell === null) { if (!pinned) { unmark(); hideTip(); } return; }
    if (cell !== cursor || tip.hidden) present(map, cursor = cell, point(event));
    else showTip(tip.firstChild.textContent, point(event), tip.children[0]);
  });
  const leave = () => {
    hideTip();
    if (pinned) mark(pinned.map, pinned.cell);
    else unmark();
  };
  svg.addEventListener('pointerleave', leave);
  svg.addEventListener('blur', leave);
  svg.addEventListener('click', event => {
    const cell = under(event);
    if (cell !== null) pin(map, cell);
  });
  svg.tabIndex = 0;
  // What it says follows the arrow keys, which an image does not take.
  svg.setAttribute('role', 'application');
  svg.setAttribute('aria-roledescription', 'heatmap');
  const announce = () => {
    present(map, cursor, point({ clientX: 0, clientY: 0 }));
    showTip(cellWords(map, cursor), boxOf(map), training(map, cursor));
    aloud.textContent = cellWords(map, cursor);
  };
  svg.addEventListener('keydown', event => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: map.columns, ArrowDown: -map.columns }[event.key];
    if (event.key === 'Escape') { pin(null); unmark(); hideTip(); }
    if (event.key === 'Enter') pin(map, cursor);
    if (!step) return;
    event.preventDefault();
    const next = cursor + step;
    const beside = Math.abs(step) > 1 || Math.floor(next / map.columns) === Math.floor(cursor / map.columns);
    if (next >= 0 && next < map.columns * map.lines && beside) cursor = next;
    announce();
  });
  restore[map.figure.id] = choices => {
    const [id, cell] = (choices.get('cell') ?? '').split('.');
    const chosen = maps.find(other => other.svg.id === id && other.figure === map.figure);
    if (!chosen || !(Number(cell) < chosen.columns * chosen.lines)) return;
    mark(chosen, Number(cell));
    pinned = { map: chosen, cell: Number(cell) };
  };
}
