// Downloads: each figure's or table's data as CSV, and its drawings with their legend as one SVG.

const composed = figure => {
  const from = figure.getBoundingClientRect();
  const out = draw('svg', { xmlns: SVG, 'font-family': 'system-ui, sans-serif', 'font-size': 12, fill: '#1b1f24' });
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
  out.prepend(paper);
  return new XMLSerializer().serializeToString(out);
};

/** What a figure's data are, where its own part of the script knows better. */
const dataOf = {};
document.querySelectorAll('figure[id]').forEach(figure => {
  const tools = make('div', null, null, { className: 'tools' });
  const text = () => dataOf[figure.id]?.() ?? textOf(figure);
  const named = what => ({ type: 'button', ariaLabel: `Download ${what} of ${figure.querySelector('figcaption b').textContent.replace('.', '')}` });
  make('button', 'Download CSV', tools, { ...named('CSV'), onclick: () => save(`${figure.id}.csv`, 'text/csv', text()) });
  if (figure.querySelector('svg[role=img]')) make('button', 'Download SVG', tools, { ...named('SVG'), onclick: () => save(`${figure.id}.svg`, 'image/svg+xml', composed(figure)) });
  figure.append(tools);
});
