// A page so far loads itself anew and comes back to where it was: the place on the page, what is open, what was chosen.
// It is opened from disk, where nothing can be fetched: all of it is one timed reload, and the state is kept for this
// tab. Where nothing may be kept, the address and the browser's own memory of the place remain.

'use strict';
(() => {
  const bar = document.getElementById('so-far');
  const drawn = new Date(bar.dataset.drawn);
  const every = Number(bar.dataset.reload) * 1000;
  const key = `so far ${location.pathname}`;
  const get = () => { try { return JSON.parse(sessionStorage.getItem(key)) ?? {}; } catch { return {}; } };
  const put = state => { try { sessionStorage.setItem(key, JSON.stringify(state)); } catch { /* Then not. */ } };

  const ago = () => {
    const seconds = Math.max(0, (Date.now() - drawn) / 1000);
    const words = seconds < 90 ? `${Math.round(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
    bar.querySelector('.ago').textContent = `, ${words} ago`;
  };
  ago();
  setInterval(ago, 1000);
  if (!every) return;
  const note = bar.querySelector('.reloads');
  note.hidden = false;

  // Whatever chooses something writes it to the address, the last choice of each figure.
  const again = performance.getEntriesByType('navigation')[0]?.type === 'reload';
  const state = again ? get() : {};
  const chosen = { ...state.chosen };
  const replace = history.replaceState.bind(history);
  history.replaceState = (state, title, url) => {
    const [id, query] = `${url}`.replace(/^.*#/, '').split('?');
    chosen[decodeURIComponent(id)] = query ?? '';
    replace(state, title, url);
  };

  // The place is that of the first heading, figure or claim at the top of the window, because what is above may grow.
  const landmarks = () => [...document.querySelectorAll('main h2, main h3, main figure, main li[id], header h1')];
  const name = (element, all) => element.id || `${element.tagName} ${element.textContent.slice(0, 80)} ${all.filter(other => other.tagName === element.tagName && other.textContent === element.textContent).indexOf(element)}`;
  const place = () => {
    const all = landmarks();
    const first = all.find(element => element.getBoundingClientRect().bottom > 0);
    return first && { name: name(first, all), from: first.getBoundingClientRect().top };
  };
  const closable = () => [...document.querySelectorAll('details')].map((element, index) => [`${element.closest('[id]')?.id ?? ''} ${element.querySelector('summary')?.textContent.replace(/\d+/g, '') ?? index}`, element]);
  const scrolled = () => Object.fromEntries([...document.querySelectorAll('.scroll, .tall, pre')].map((element, index) => [`${element.closest('[id]')?.id ?? ''} ${index}`, [element.scrollLeft, element.scrollTop]]).filter(([, [x, y]]) => x || y));
  const keep = () => put({
    chosen, place: place(), hash: location.hash, scrolled: scrolled(), at: scrollY,
    open: closable().filter(([, element]) => element.open).map(([name]) => name),
    focus: document.activeElement?.closest?.('[id]')?.id,
  });

  const back = state => {
    for (const [name, element] of closable()) if (state.open?.includes(name)) element.open = true;
    const moves = state.scrolled ?? {};
    [...document.querySelectorAll('.scroll, .tall, pre')].forEach((element, index) => {
      const at = moves[`${element.closest('[id]')?.id ?? ''} ${index}`];
      if (at) [element.scrollLeft, element.scrollTop] = at;
    });
    const all = landmarks();
    const there = state.place && all.find(element => name(element, all) === state.place.name);
    if (there) scrollBy(0, there.getBoundingClientRect().top - state.place.from);
    else if (state.at) scrollTo(0, state.at);
    if (state.focus) document.getElementById(state.focus)?.focus?.({ preventScroll: true });
  };

  let touched = 0;
  for (const kind of ['keydown', 'pointerdown', 'wheel', 'touchmove', 'pointermove']) addEventListener(kind, () => { touched = Date.now(); }, { passive: true });
  const busy = () => Date.now() - touched < 3000 || !getSelection().isCollapsed || /^(INPUT|SELECT)$/.test(document.activeElement?.tagName) && Date.now() - touched < 20000;
  let due = Date.now() + every;
  const reload = () => { keep(); location.reload(); };
  const look = () => { if (Date.now() >= due && document.visibilityState === 'visible' && !busy()) { due = Infinity; reload(); } };
  setInterval(look, 500);
  addEventListener('visibilitychange', look);
  addEventListener('pagehide', keep);

  // After the parts of the page that choose have been set up.
  const ready = () => {
    if (!('ready' in document.body.dataset)) return setTimeout(ready, 10);
    if (!state.place) return undefined;
    const hash = state.hash ?? '';
    for (const [id, query] of Object.entries(state.chosen ?? {})) {
      if (!query) continue;
      replace(null, '', `#${encodeURIComponent(id)}?${query}`);
      dispatchEvent(new HashChangeEvent('hashchange'));
    }
    replace(null, '', hash || location.pathname + location.search);
    back(state);
    document.body.dataset.back = '';
    return undefined;
  };
  ready();
})();
