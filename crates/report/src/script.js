'use strict';
(() => {
  const make = (tag, text, parent, extra) => {
    const element = Object.assign(document.createElement(tag), extra);
    if (text !== null) element.textContent = text;
    parent?.append(element);
    return element;
  };
  const save = (name, type, text) => {
    const link = make('a', null, null, { href: URL.createObjectURL(new Blob([text], { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  // A mark's own title, shown at once instead of after the browser's delay.
  const tip = make('div', '', document.body, { id: 'tip', hidden: true });
  tip.setAttribute('aria-hidden', 'true');
  let shown = null;
  const linked = (mark, on) => {
    const link = mark?.dataset?.link;
    if (link) mark.closest('figure')?.querySelectorAll(`[data-link="${CSS.escape(link)}"]`).forEach(e => e.classList.toggle('linked', on));
  };
  document.addEventListener('pointerover', event => {
    const mark = event.target.closest?.('svg [data-tip], svg :has(> title)');
    if (mark === shown) return;
    linked(shown, false);
    shown = mark;
    tip.hidden = !mark;
    if (!mark) return;
    const title = mark.querySelector(':scope > title');
    if (title) { mark.dataset.tip = title.textContent; title.remove(); }
    tip.textContent = mark.dataset.tip;
    linked(mark, true);
  });
  document.addEventListener('pointermove', event => {
    if (tip.hidden) return;
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    const below = event.clientY + 18;
    const top = below + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : below;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${Math.max(4, top)}px`;
  });

  // Downloads: the data block of a figure or a table as it stands, and each drawing.
  const style = document.getElementById('figure-style').textContent;
  const drawing = figure => {
    const from = figure.getBoundingClientRect();
    const out = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    let [width, height] = [0, 0];
    const put = (element, at, more) => {
      for (const [name, value] of Object.entries({ x: at.left - from.left, y: at.top - from.top, ...more })) element.setAttribute(name, value);
      out.append(element);
      width = Math.max(width, at.right - from.left);
      height = Math.max(height, at.bottom - from.top);
    };
    figure.querySelectorAll('svg').forEach(svg => {
      const at = svg.getBoundingClientRect();
      put(svg.cloneNode(true), at, { width: at.width, height: at.height });
    });
    figure.querySelectorAll('.legend span, .maps .method').forEach(label => {
      const at = label.getBoundingClientRect();
      const text = document.createElementNS('http://www.w3.org/2000/svg', 'text');
      text.textContent = label.textContent;
      put(text, at, { y: at.bottom - from.top - at.height * 0.28 });
    });
    for (const [name, value] of Object.entries({ xmlns: 'http://www.w3.org/2000/svg', width, height, viewBox: `0 0 ${width} ${height}` })) out.setAttribute(name, value);
    const rules = document.createElementNS('http://www.w3.org/2000/svg', 'style');
    // In the page drawings shrink to their column; here each has its size.
    rules.textContent = `${style} svg { max-width: none; }`;
    out.prepend(rules);
    return new XMLSerializer().serializeToString(out);
  };
  const cell = text => /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  const csv = table => [...table.rows].filter(row => !row.hidden)
    .map(row => [...row.cells].map(c => cell(c.dataset.value ?? c.textContent.trim().replace(/^[=+@]/, "'$&"))).join(',')).join('\n') + '\n';
  document.querySelectorAll('figure[id]').forEach(figure => {
    const tools = make('div', null, null, { className: 'tools' });
    const data = figure.querySelector('details.data pre');
    const table = figure.querySelector('table');
    if (data) make('button', 'Download CSV', tools, { type: 'button', onclick: () => save(`${figure.id}.csv`, 'text/csv', data.textContent) });
    else if (table) make('button', 'Download CSV', tools, { type: 'button', onclick: () => save(`${figure.id}.csv`, 'text/csv', csv(table)) });
    if (figure.querySelector('svg[role=img]')) make('button', 'Download SVG', tools, { type: 'button', onclick: () => save(`${figure.id}.svg`, 'image/svg+xml', drawing(figure)) });
    if (tools.childElementCount) figure.append(tools);
  });

  // What is wider than its frame says so.
  const frames = [...document.querySelectorAll('.scroll')];
  const hints = () => frames.forEach(frame => {
    const wide = frame.scrollWidth > frame.clientWidth + 2;
    const hint = frame.previousElementSibling?.classList.contains('hint') ? frame.previousElementSibling : null;
    if (wide && !hint) frame.before(make('p', 'Scroll sideways to see all of it →', null, { className: 'hint' }));
    else if (!wide) hint?.remove();
  });
  hints();
  addEventListener('resize', hints);
  document.querySelectorAll('details').forEach(details => details.addEventListener('toggle', hints));
  // A link into what is closed opens it.
  const reveal = () => document.getElementById(decodeURIComponent(location.hash.slice(1)))?.closest('details')?.setAttribute('open', '');
  reveal();
  addEventListener('hashchange', reveal);

  // Tables that can be long: sort by a column, keep the rows that match.
  document.querySelectorAll('table.sortable').forEach(table => {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = make('button', head.textContent, null, { type: 'button' });
      head.replaceChildren(button);
      button.onclick = () => {
        const up = head.getAttribute('aria-sort') !== 'ascending';
        table.querySelectorAll('th[aria-sort]').forEach(h => h.removeAttribute('aria-sort'));
        head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
        const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
        const order = (a, b) => {
          const [x, y] = [value(a), value(b)];
          const [m, n] = [parseFloat(x), parseFloat(y)];
          if (isNaN(m) !== isNaN(n)) return isNaN(m) ? 1 : -1;
          return (isNaN(m) ? x.localeCompare(y) : m - n) * (up ? 1 : -1);
        };
        body.append(...[...body.rows].sort(order));
      };
    });
    const tools = make('div', null, null, { className: 'tools' });
    const label = make('label', 'Filter ', tools);
    const input = make('input', null, label, { type: 'search', placeholder: 'every word must match' });
    const status = make('span', '', tools);
    status.setAttribute('role', 'status');
    input.oninput = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let kept = 0;
      for (const row of body.rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every(word => text.includes(word));
        kept += !row.hidden;
      }
      status.textContent = words.length ? `${kept} of ${body.rows.length} rows` : '';
    };
    table.closest('.scroll').before(tools);
  });
})();
