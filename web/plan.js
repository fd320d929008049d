// The sizes that a photo runs at, as ainet.runtime.plan and ainet.runtime.oversegmentation choose them.

// How many regions a photo can be asked for, up to `wanted`.
export function largestCount(height, width, wanted) {
  return Math.min(wanted, Math.floor((height * width) / 4));
}

// The plan of the superpixels that are merged down to `count` regions. rules: the entry "plan" of model.json.
export function planFiner(height, width, count, rules) {
  const most = Math.floor((height * width) / 4);
  const wanted = Math.max(roundHalfEven(count * interpolate(count, rules.finer)), rules.leastSegments);
  return planSegments(height, width, Math.min(wanted, most), rules.cell);
}

function planSegments(height, width, count, cell) {
  const ratio = Math.min(height, width) / Math.max(height, width);
  const short = Math.max(1, roundHalfEven(Math.sqrt(count * ratio)));
  const long = roundHalfEven(count / short);
  const [rows, columns] = height <= width ? [short, long] : [long, short];
  const mean = (height * width) / (rows * columns);
  return {
    height: rows * cell,
    width: columns * cell,
    minSize: Math.floor(Math.floor(0.06 * mean) / 2),
    maxSize: Math.max(1, Math.floor(3 * mean)),
  };
}

// Linear between points (x, y) of ascending x, level beyond them.
function interpolate(x, points) {
  const next = points.findIndex(([other]) => other >= x);
  if (next < 0) return points.at(-1)[1];
  if (next === 0) return points[0][1];
  const [[left, low], [right, high]] = points.slice(next - 1, next + 1);
  return low + ((high - low) * (x - left)) / (right - left);
}

// As Python rounds.
function roundHalfEven(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
