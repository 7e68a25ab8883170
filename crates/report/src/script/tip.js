// What a mark says, at once instead of after the browser's delay, for the mouse and for the keyboard: a
// drawing takes the focus, and the arrow keys go from mark to mark.

const tip = make('div', null, document.body, { id: 'tip', hidden: true });
tip.setAttribute('aria-hidden', 'true');
const aloud = make('div', null, document.body, { className: 'aloud' });
aloud.setAttribute('role', 'status');

/** Shows text, and a drawing below it, beside a point or a box of the window. */
const showTip = (text, at, drawing) => {
  tip.replaceChildren(text, ...(drawing ? [drawing] : []));
  tip.hidden = false;
  const left = Math.min(at.right + 14, innerWidth - tip.offsetWidth - 8);
  const below = at.bottom + 10;
  const top = below + tip.offsetHeight > innerHeight ? at.top - tip.offsetHeight - 10 : below;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, top)}px`;
};
const hideTip = () => { tip.hidden = true; };
const point = event => ({ left: event.clientX, right: event.clientX, top: event.clientY, bottom: event.clientY });

const MARK = 'svg [data-tip], svg g:has(> title), svg path:has(> title)';
const words = mark => {
  const title = mark.querySelector(':scope > title');
  // Else the browser would show it a second time.
  if (title) { mark.dataset.tip = title.textContent; title.remove(); }
  return mark.dataset.tip;
};

document.addEventListener('pointermove', event => {
  if (event.target.closest?.('[data-grid]')) return;
  const mark = event.target.closest?.(MARK);
  if (mark) showTip(words(mark), point(event));
  else hideTip();
});
addEventListener('scroll', hideTip, { passive: true });

document.querySelectorAll('svg[role=img]:not([data-grid])').forEach(svg => {
  const marks = [...svg.querySelectorAll('g:has(> title), path:has(> title)')];
  if (!marks.length) return;
  let at = -1;
  svg.tabIndex = 0;
  svg.addEventListener('keydown', event => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === 'Escape') hideTip();
    if (!step) return;
    event.preventDefault();
    at = (Math.max(at, step < 0 ? 0 : -1) + step + marks.length) % marks.length;
    svg.querySelectorAll('.current').forEach(mark => mark.classList.remove('current'));
    marks[at].classList.add('current');
    aloud.textContent = words(marks[at]);
    showTip(aloud.textContent, marks[at].getBoundingClientRect());
  });
  svg.addEventListener('blur', () => {
    hideTip();
    svg.querySelectorAll('.current').forEach(mark => mark.classList.remove('current'));
  });
});
