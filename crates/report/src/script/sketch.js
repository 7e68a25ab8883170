// Sketches of training: the range of a configuration's mini-batch losses in buckets of steps, both axes
// logarithmic.

const packedSketches = document.getElementById('sketches');
const sketches = packedSketches && await unpacked(packedSketches);
const level = character => sketches.levels.indexOf(character) / (sketches.levels.length - 1);

/** A drawing of a configuration's sketch; `labels`: with the ends of its axes. Null where there is none. */
const sketched = (configuration, width, height, labels) => {
  const text = sketches?.sketches[configuration];
  if (!text?.trim()) return null;
  const [left, top, bottom] = labels ? [40, 6, height - 16] : [1, 1, height - 1];
  const last = Math.log(sketches.edges.at(-1));
  const x = step => left + (width - left - 2) * Math.log(step) / last;
  const y = share => bottom - (bottom - top) * share;
  const upper = [];
  const lower = [];
  for (let i = 0; 2 * i < text.length; i++) {
    if (text[2 * i] === ' ') continue;
    const middle = x(Math.sqrt(sketches.edges[i] * sketches.edges[i + 1]));
    lower.unshift(`${middle.toFixed(1)} ${y(level(text[2 * i])).toFixed(1)}`);
    upper.push(`${middle.toFixed(1)} ${y(level(text[2 * i + 1])).toFixed(1)}`);
  }
  const svg = draw('svg', { viewBox: `0 0 ${width} ${height}`, width, height, 'aria-hidden': true, class: 'sketch' });
  draw('path', { d: `M${[...upper, ...lower].join('L')}Z` }, svg);
  if (labels) {
    draw('path', { class: 'frame', d: `M${left} ${top}V${bottom}H${width}` }, svg);
    const write = (x, y, text, anchor) => { draw('text', { x, y, 'text-anchor': anchor }, svg).textContent = text; };
    const nats = power => Number((10 ** power).toPrecision(2));
    write(left - 4, top + 8, nats(sketches.high), 'end');
    write(left - 4, bottom, nats(sketches.low), 'end');
    write(left, height - 3, '1', 'middle');
    write(width - 2, height - 3, `step ${sketches.edges.at(-1)}`, 'end');
  }
  return svg;
};
