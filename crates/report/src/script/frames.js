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
