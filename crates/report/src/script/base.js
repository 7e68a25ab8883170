// What the parts of the script share: elements, text, comma-separated values, and the state in the address.

const SVG = 'http://www.w3.org/2000/svg';
const make = (tag, text, parent, extra) => {
  const element = Object.assign(document.createElement(tag), extra);
  if (text !== null) element.textContent = text;
  parent?.append(element);
  return element;
};
const draw = (tag, attributes, parent) => {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent?.append(element);
  return element;
};
const save = (name, type, text) => {
  const link = make('a', null, null, { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};

/** What a script element holds compressed. */
const unpacked = async script => {
  const bytes = Uint8Array.from(atob(script.textContent), letter => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream(script.dataset.packed))).json();
};

/** Fields of RFC 4180, by row. */
const fields = text => {
  const rows = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
    if (end === '' && quoted === undefined && plain === '') break;
    rows.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === '\n') rows.push([]);
  }
  return rows.filter(row => row.length);
};
const field = text => /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
const csv = rows => rows.map(row => row.map(field).join(',') + '\n').join('');

/** The data of figures and tables by row, the names of the columns first; where the page had no room for their text, by column. */
const columns = {};
await Promise.all([...document.querySelectorAll('figure > details.data > script')].map(async script => {
  const [details, figure] = [script.parentElement, script.parentElement.parentElement];
  columns[figure.id] = await unpacked(script);
  const show = () => details.querySelector('p').replaceWith(make('pre', textOf(figure), null, { tabIndex: 0 }));
  details.addEventListener('toggle', show, { once: true });
}));
const read = {};
const rowsOf = figure => read[figure.id] ??= figure.id in columns
  ? columns[figure.id][0].map((_, row) => columns[figure.id].map(column => column[row]))
  : fields(figure.querySelector('details.data > pre').textContent);
/** The same as the text of the file beside the page. */
const textOf = figure => figure.id in columns ? csv(rowsOf(figure)) : figure.querySelector('details.data > pre').textContent;

/** A measured value in few digits. */
const few = value => `${Number(Number(value).toPrecision(4))}`;

/** A setting's path as people say it. */
const said = path => path.split('.').at(-1).replaceAll('_', ' ');

// The address may end in `#figure?name=value`: what is chosen there. A part that chooses something restores
// it by `restore[id]`, and says so by `remember`.
const restore = {};
const remember = (id, choices) => {
  const chosen = Object.entries(choices).filter(([, value]) => value !== '' && value != null);
  const query = new URLSearchParams(chosen).toString();
  history.replaceState(null, '', `#${encodeURIComponent(id)}${query && `?${query}`}`);
};
const follow = () => {
  const [id, query] = location.hash.slice(1).split('?');
  const target = document.getElementById(decodeURIComponent(id));
  if (!target) return;
  // A link into what is closed opens it.
  for (let closed = target.closest('details'); closed; closed = closed.parentElement.closest('details')) closed.open = true;
  if (query === undefined) return;
  restore[target.id]?.(new URLSearchParams(query));
  target.scrollIntoView();
};
