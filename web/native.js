// The native sources of the package, compiled to WebAssembly: see native/engine.cpp.

export async function loadNative(url) {
  const imports = {
    env: { emscripten_notify_memory_growth() {} },
    wasi_snapshot_preview1: {
      proc_exit() {
        throw new Error("the browser has not enough memory for this photo; try a smaller one");
      },
    },
  };
  const bytes = await (await fetch(url)).arrayBuffer();
  const { instance } = await WebAssembly.instantiate(bytes, imports);
  instance.exports._initialize();
  return new Native(instance.exports);
}

class Native {
  #exports;

  constructor(exports) {
    this.#exports = exports;
  }

  // sizes: channels, middle, codes, hidden; weights: Float32Array.
  setCost([channels, middle, codes, hidden], weights) {
    this.#fill(this.#exports.cost_weights(channels, middle, codes, hidden), weights);
  }

  // rgba: Uint8ClampedArray, height x width x 4.
  setPhoto(height, width, rgba) {
    this.#fill(this.#exports.photo(height, width), rgba);
  }

  // Float32Array, 3 x height x width.
  networkInput(height, width, mean) {
    return this.#copy(Float32Array, this.#exports.network_input(height, width, ...mean), 3 * height * width);
  }

  // scores: 9 x height x width; map: height x width x channels, or null. Returns the number of superpixels, at least `count`.
  grow(scores, map, minSize, maxSize, count) {
    const [, , height, width] = scores.dims;
    this.#fill(this.#exports.scores(height, width), scores.data);
    const [, mapHeight, mapWidth] = map === null ? [1, 0, 0] : map.dims;
    const place = this.#exports.border_map(mapHeight, mapWidth);
    if (map !== null) this.#fill(place, map.data);
    return this.#exports.grow(minSize, maxSize, count);
  }

  cut(count) {
    this.#exports.cut(count);
  }

  // Uint8ClampedArray, height x width x 4.
  paint(height, width, meanColours, line, colour) {
    return this.#copy(Uint8ClampedArray, this.#exports.paint(meanColours, line, colour), 4 * height * width);
  }

  // For each of `count` regions: its pixels, and its mean colour.
  regions(count) {
    const table = this.#copy(Int32Array, this.#exports.regions(), 4 * count);
    return Array.from({ length: count }, (_, i) => ({ pixels: table[4 * i], colour: [...table.subarray(4 * i + 1, 4 * i + 4)] }));
  }

  // [{ region, points: [[x, y], ...] }, ...], each closed; the first of a region is the outer one.
  rings() {
    const start = this.#exports.rings() / 4;
    const memory = new Int32Array(this.#exports.memory.buffer);
    const rings = [];
    let at = start + 1;
    for (let i = 0; i < memory[start]; ++i) {
      const [region, length] = memory.subarray(at, at + 2);
      at += 2;
      rings.push({ region, points: Array.from({ length }, (_, j) => [memory[at + 2 * j], memory[at + 2 * j + 1]]) });
      at += 2 * length;
    }
    return rings;
  }

  #fill(place, values) {
    new values.constructor(this.#exports.memory.buffer, place, values.length).set(values);
  }

  #copy(Type, place, length) {
    return new Type(this.#exports.memory.buffer, place, length).slice();
  }
}
