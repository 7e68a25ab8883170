// Figures with a panel for each target: show all of them, or one, the same everywhere.

const pickers = [];
document.querySelectorAll('[data-pick]').forEach(panels => {
  const drawings = [...panels.querySelectorAll(':scope > svg')];
  if (drawings.length < 2) return;
  const figure = panels.closest('figure');
  const names = drawings.map(svg => svg.querySelector('title').textContent);
  const tools = make('div', null, null, { className: 'tools' });
  const select = make('select', null, make('label', `${panels.dataset.pick} `, tools));
  ['all', ...names].forEach(name => make('option', name, select, { value: name }));
  const choose = name => {
    const known = names.includes(name) ? name : 'all';
    select.value = known;
    drawings.forEach((svg, i) => svg.toggleAttribute('hidden', known !== 'all' && names[i] !== known));
    panels.classList.toggle('one', known !== 'all');
  };
  pickers.push({ names, choose });
  select.onchange = () => {
    const name = select.value;
    for (const picker of pickers) if (name === 'all' || picker.names.includes(name)) picker.choose(name);
    remember(figure.id, { target: name === 'all' ? '' : name });
  };
  restore[figure.id] = choices => pickers.forEach(picker => picker.choose(choices.get('target')));
  panels.before(tools);
});
