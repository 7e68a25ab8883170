// Downloads: each figure's data or table as CSV, and its drawings with their legend as one SVG.

/** The drawings' style without custom properties, which few programs but browsers know. */
const plainStyle = () => {
  const text = document.getElementById('figure-style').textContent;
  const plain = text.replace(/var\(--(?!c\b)[\w-]+,\s*([^)]+)\)/g, '$1');
  const colours = [...plain.matchAll(/\.(\w+)\s*\{\s*--c:\s*([^;}]+);?\s*\}/g)].map(match => [match[1], match[2]]);
  return plain.replace(/([^{}]+)\{([^{}]*)\}/g, (rule, selectors, says) => {
    if (says.includes('--c:')) return '';
    if (!says.includes('var(--c)')) return rule;
    return colours.map(([name, colour]) => {
      const all = selectors.split(',').flatMap(selector => {
        const own = selector.trim().replace(/^svg /, '');
        return [`.${name} ${own}`, `.${name}${own}`];
      });
      return `${all.join(',')}{${says.replaceAll('var(--c)', colour)}}`;
    }).join('');
  });
};

const composed = figure => {
  const from = figure.getBoundingClientRect();
  const out = draw('svg', { xmlns: SVG });
  let [width, height] = [0, 0];
  const put = (element, at, more) => {
    for (const [name, value] of Object.entries({ x: at.left - from.left, y: at.top - from.top, ...more })) element.setAttribute(name, value);
    out.append(element);
    width = Math.max(width, at.right - from.left);
    height = Math.max(height, at.bottom - from.top);
  };
  figure.querySelectorAll('svg').forEach(svg => {
    const at = svg.getBoundingClientRect();
    if (!at.width || svg.closest('table, .tools')) return;
    const copy = svg.cloneNode(true);
    copy.querySelectorAll('.chosen').forEach(mark => mark.remove());
    copy.removeAttribute('tabindex');
    put(copy, at, { width: at.width, height: at.height });
  });
  figure.querySelectorAll('.legend span, .maps .method').forEach(label => {
    const at = label.getBoundingClientRect();
    const text = draw('text', {});
    text.textContent = label.textContent;
    put(text, at, { y: at.bottom - from.top - at.height * 0.28 });
  });
  for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` })) out.setAttribute(name, value);
  const paper = draw('path', { fill: '#fff', d: `M0 0h${width}v${height}h-${width}z` });
  const rules = draw('style', {});
  rules.textContent = plainStyle();
  out.prepend(rules, paper);
  return new XMLSerializer().serializeToString(out);
};

const cells = table => [...table.rows].map(row => [...row.cells].map(cell => {
  const copy = cell.cloneNode(true);
  // What only the eye wants.
  copy.querySelectorAll('[aria-hidden]').forEach(symbol => symbol.remove());
  return copy.textContent.trim().replace(/\s+/g, ' ');
}));
/** What a figure's data are, where its own part of the script knows better. */
const dataOf = {};
document.querySelectorAll('figure[id]').forEach(figure => {
  const tools = make('div', null, null, { className: 'tools' });
  const data = figure.querySelector('details.data');
  const table = figure.querySelector('table');
  const written = () => {
    if (!data) return csv(cells(table));
    const [head, ...rows] = rowsOf(figure);
    return csv([head, ...data.hasAttribute('data-seeds') ? ofSeeds(head, rows).map(row => row.fields) : rows]);
  };
  // Who opens the data reads every field.
  data?.addEventListener('toggle', () => {
    const whole = written();
    data.querySelector('p').remove();
    data.querySelector('pre').textContent = whole;
  }, { once: true });
  const text = () => dataOf[figure.id]?.() ?? written();
  const named = what => ({ type: 'button', ariaLabel: `Download ${what} of ${figure.querySelector('figcaption b').textContent.replace('.', '')}` });
  if (data || table) make('button', 'Download CSV', tools, { ...named('CSV'), onclick: () => save(`${figure.id}.csv`, 'text/csv', text()) });
  if (figure.querySelector('svg[role=img]')) make('button', 'Download SVG', tools, { ...named('SVG'), onclick: () => save(`${figure.id}.svg`, 'image/svg+xml', composed(figure)) });
  if (tools.childElementCount) figure.append(tools);
});
