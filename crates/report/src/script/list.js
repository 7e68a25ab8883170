// The list of runs as a table: a row a run, to sort by a column, filter and page through.

{
  const figure = document.getElementById('list-runs');
  const PAGE = 50;
  const counted = n => n === 1 ? '1 run' : `${n} runs`;
  if (figure) {
    const [head, ...rows] = rowsOf(figure);
    // Runs that differ in their seed and what they came to are one configuration.
    const [own, metrics] = [head.lastIndexOf('seed'), head.lastIndexOf('steps') + 1];
    const configurations = new Map();
    const runs = rows.map(fields => {
      const key = csv([fields.slice(0, own)]);
      if (!configurations.has(key)) configurations.set(key, configurations.size);
      return { fields, configuration: configurations.get(key), text: fields.join(' ').toLowerCase() };
    });
    const brief = (value, column) => value === '' || column < metrics ? value : head[column].endsWith('loss') ? few(value) : Number(value).toFixed(4);
    const choice = { filter: '', sort: '', page: 1 };
    let kept = runs;

    const tools = make('div', null, null, { className: 'tools' });
    const input = make('input', null, make('label', 'Filter ', tools), { type: 'search', placeholder: 'every word must match' });
    const status = make('span', '', tools);
    status.setAttribute('role', 'status');
    const frame = make('div', null, null, { className: 'scroll tall', tabIndex: 0 });
    frame.setAttribute('role', 'region');
    frame.setAttribute('aria-label', 'List of runs');
    const table = make('table', null, frame, { className: 'sortable' });
    const titles = make('tr', null, make('thead', null, table));
    const body = make('tbody', null, table);
    const numeric = head.map((_, column) => runs.some(run => run.fields[column]) && runs.every(run => !isNaN(run.fields[column])));
    head.forEach((name, column) => {
      const cell = make('th', null, titles, { scope: 'col', className: numeric[column] ? 'number' : 'text', title: name });
      make('button', said(name), cell, { type: 'button', onclick: () => {
        choice.sort = choice.sort === `${column}` ? `-${column}` : `${column}`;
        choice.page = 1;
        show(true);
      } });
    });
    if (sketches) make('th', 'loss', titles, { scope: 'col', title: 'Mini-batch loss of all seeds of the configuration, both axes logarithmic' });
    const pages = make('div', null, null, { className: 'tools' });
    const turn = (name, by) => make('button', name, pages, { type: 'button', onclick: () => { choice.page += by; show(true); } });
    const [before, after] = [turn('← Previous', -1), turn('Next →', 1)];
    const where = make('span', '', pages);

    const order = (a, b) => {
      const column = Math.abs(Number(choice.sort));
      const down = choice.sort.startsWith('-') ? -1 : 1;
      const [x, y] = [a.fields[column], b.fields[column]];
      // What has no value comes last, whichever way.
      if ((x === '') !== (y === '')) return x === '' ? 1 : -1;
      return down * (numeric[column] ? x - y : x.localeCompare(y, 'en', { numeric: true }));
    };
    const show = changed => {
      const words = choice.filter.toLowerCase().split(/\s+/).filter(Boolean);
      kept = runs.filter(run => words.every(word => run.text.includes(word)));
      if (choice.sort !== '') kept.sort(order);
      const last = Math.max(1, Math.ceil(kept.length / PAGE));
      choice.page = Math.min(Math.max(1, choice.page), last);
      const from = (choice.page - 1) * PAGE;
      const visible = kept.slice(from, from + PAGE);
      body.replaceChildren(...visible.map(run => {
        const row = make('tr', null, null);
        run.fields.forEach((value, column) => make(column ? 'td' : 'th', brief(value, column) || '–', row, { className: numeric[column] ? 'number' : 'text', ...(column ? {} : { scope: 'row' }) }));
        if (sketches) make('td', null, row).append(sketched(run.configuration, 64, 20) ?? '');
        return row;
      }));
      [...titles.cells].forEach((cell, column) => {
        if (Math.abs(Number(choice.sort)) === column && choice.sort !== '') cell.setAttribute('aria-sort', choice.sort.startsWith('-') ? 'descending' : 'ascending');
        else cell.removeAttribute('aria-sort');
      });
      status.textContent = words.length ? `${kept.length} of ${counted(runs.length)} match` : counted(runs.length);
      where.textContent = kept.length ? `${from + 1} to ${from + visible.length} of ${kept.length}` : 'none';
      before.disabled = choice.page === 1;
      after.disabled = choice.page === last;
      pages.hidden = last === 1;
      if (changed) remember(figure.id, { filter: choice.filter, sort: choice.sort, page: choice.page > 1 ? choice.page : '' });
    };
    input.oninput = () => { choice.filter = input.value; choice.page = 1; show(true); };
    restore[figure.id] = choices => {
      input.value = choice.filter = choices.get('filter') ?? '';
      choice.sort = /^-?\d+$/.test(choices.get('sort') ?? '') && Math.abs(Number(choices.get('sort'))) < head.length ? choices.get('sort') : '';
      choice.page = Number(choices.get('page')) || 1;
      show(false);
    };
    // The download is what is shown: kept rows, in their order.
    dataOf[figure.id] = () => csv([head, ...kept.map(run => run.fields)]);
    figure.querySelector('details.data').before(tools, frame, pages);
    frames.push(frame);
    show(false);
  }
}
