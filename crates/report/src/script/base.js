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
const field = text => {
  const formula = /^[=+\-@\t\r]/.test(text) && isNaN(Number(text));
  return formula || /^'|[",\n\r]/.test(text) ? `"${formula ? "'" : ''}${text.replaceAll('"', '""')}"` : text;
};
const csv = rows => rows.map(row => row.map(field).join(',') + '\n').join('');

/** A figure's data by row, the names of the columns first; as written, a blank is as above and a hyphen nothing. */
const rowsOf = figure => read[figure.id] ??= (([head, ...rows]) => {
  let above = [];
  return [head, ...rows.map(row => above = row.map((text, i) => text === '' ? above[i] : text === '-' ? '' : text))];
})(fields(figure.querySelector('details.data pre').textContent));
const read = {};

/** Rows of single seeds with the row they came from: from the column `seed` on, a field holds one value for each seed. */
const ofSeeds = (head, rows) => {
  const own = head.lastIndexOf('seed');
  return rows.flatMap((row, configuration) => {
    const seeds = row[own].split(' ');
    return seeds.map((_, i) => ({
      configuration,
      fields: row.map((value, column) => {
        if (column < own) return value;
        const parts = value.split(' ');
        return (parts.length === seeds.length ? parts[i] : value).replace(/^–$/, '');
      }),
    }));
  });
};

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
