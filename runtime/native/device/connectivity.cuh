// Connected superpixels, label for label those of ../connectivity.cpp, where the rules stand.
//
// Every pixel belongs to a unit: a 4-connected component of old labels, or a piece of one above max_size. A unit is named
// by its first pixel in raster order, and by the rules one that starts earlier is labelled earlier. So `adjacent` of a
// unit below min_size follows from the units alone: the last examined neighbour that belongs to an earlier one. Kernels,
// in their order; each runs once for every pixel of every image, but connect_flatten and connect_cut:
//
//   connect_start    links every pixel upwards or to the left, inside its component
//   connect_unite    unites what these links leave apart (union-find without locks)
//   connect_flatten  finds the component of kGroup pixels and adds up sizes
//   connect_cut      a team looks through kTeamPixels pixels and cuts a component above max_size into pieces, see cut.cuh
//   connect_adopt    one thread walks a unit below min_size by the rules and links it to its adjacent one; others are counted
//   connect_number   follows these links to their ends; numbers the units that are kept
//   connect_fill     gives every pixel the label of its unit
#pragma once

#include "primitives.cuh"

namespace ainet::device {

constexpr int32_t kGroup = 4;    // pixels that one index of connect_flatten sees to
constexpr int32_t kClimb = 8;    // how far connect_start links at most
constexpr int32_t kFresh = -1;   // in `out`, as every other negative number: growth has not reached the pixel

struct Connectivity {
    const int32_t* labels;  // images x height x width
    int32_t* out;           // the same; while units are grown: the next pixel in the order of growth
    int32_t* scratch;       // images x scratch_size
    int64_t scratch_size;   // at least 4 pixels() + counters()
    int64_t min_size, max_size;
    int32_t height, width;

    AINET_DEVICE int32_t pixels() const { return height * width; }

    // Words of `kept`, of all levels of `counts`, and of `queue_end`.
    AINET_DEVICE int32_t counters() const {
        int32_t total = 1;
        for (int shift = 5; shift <= 30; shift += 5) total += ((pixels() - 1) >> shift) + 1;
        return total;
    }
};

// The arrays of one image.
struct Units {
    const int32_t* labels;
    int32_t* out;
    int32_t* parent;    // a forest: first of the pixels of a component, later of the units that adopt each other
    int32_t* unit;      // of every pixel
    int32_t* size;      // of every unit; in the end its new label
    int32_t* queue;     // of components that are cut: each has its own stretch, as long as itself
    uint32_t* kept;     // a bit for every pixel: whether it is the first of a unit that is kept
    int32_t* counts;    // of such bits in every 2^10, 2^15, 2^20, ... pixels
    int32_t* queue_end; // of the stretches that are taken
    int64_t min_size, max_size;
    int32_t pixels, width;

    AINET_DEVICE Units(const Connectivity& a, int32_t image)
        : labels(a.labels + int64_t{image} * a.pixels()), out(a.out + int64_t{image} * a.pixels()), parent(a.scratch + image * a.scratch_size),
          unit(parent + a.pixels()), size(unit + a.pixels()), queue(size + a.pixels()),
          kept(reinterpret_cast<uint32_t*>(queue + a.pixels())), counts(queue + a.pixels() + ((a.pixels() - 1) >> 5) + 1),
          queue_end(queue + a.pixels() + a.counters() - 1), min_size(a.min_size), max_size(a.max_size), pixels(a.pixels()), width(a.width) {}

    AINET_DEVICE bool equal_above(int32_t p) const { return p >= width && labels[p] == labels[p - width]; }
    AINET_DEVICE bool equal_left(int32_t p) const { return p % width != 0 && labels[p] == labels[p - 1]; }

    AINET_DEVICE int32_t root(int32_t p) const {
        for (int32_t above; (above = load(parent + p)) != p; p = above) {
        }
        return p;
    }

    // Links p to the root of its tree. Only p's own link changes, and others that shorten theirs meanwhile shorten this way too.
    AINET_DEVICE int32_t link_to_root(int32_t p) const {
        int32_t a = load(parent + p);
        for (int32_t b; (b = load(parent + a)) != a; a = b) store(parent + p, b);
        return a;
    }

    // Grows from a pixel breadth first; `joins(q)` examines a neighbour and says whether it joins. The pixels that did are
    // linked in `out` in the order of growth, the last to itself. Returns their number.
    template <typename Joins>
    AINET_DEVICE int32_t grow(int32_t start, const Joins& joins) const {
        int32_t count = 1, last = start;
        out[start] = start;
        for (int32_t head = start; count < max_size; head = out[head]) {
            const int32_t x = head % width;
            const bool inside[] = {x + 1 < width, x > 0, head < pixels - width, head >= width};
            const int32_t neighbours[] = {head + 1, head - 1, head + width, head - width};
            for (int direction = 0; direction < 4 && count < max_size; ++direction) {
                const int32_t q = neighbours[direction];
                if (!inside[direction] || !joins(q)) continue;
                out[last] = q;
                out[q] = q;
                last = q;
                ++count;
            }
            if (head == last) break;
        }
        return count;
    }

    // How many units are kept that start before p.
    AINET_DEVICE int32_t kept_before(int32_t p) const {
        int32_t result = count_bits(kept[p >> 5] & ((1u << (p & 31)) - 1));
        for (int32_t i = p >> 10 << 5; i < p >> 5; ++i) result += count_bits(kept[i]);
        const int32_t* level = counts;
        for (int shift = 10; shift <= 30; shift += 5) {
            const int32_t index = p >> shift;
            for (int32_t i = index >> 5 << 5; i < index; ++i) result += level[i];
            level += ((pixels - 1) >> shift) + 1;
        }
        return result;
    }

    AINET_DEVICE void count_kept(int32_t p) const {
        set_bits(kept + (p >> 5), 1u << (p & 31));
        int32_t* level = counts;
        for (int shift = 10; shift <= 30 && (pixels - 1) >> shift > 0; shift += 5) {
            add(level + (p >> shift), 1);
            level += ((pixels - 1) >> shift) + 1;
        }
    }
};

AINET_DEVICE void connect_start(const Connectivity& a, int32_t image, int32_t p) {
    const Units u(a, image);
    int32_t q = p;
    for (int i = 0; i < kClimb && u.equal_above(q); ++i) q -= u.width;
    if (q == p) {
        for (int i = 0; i < kClimb && u.equal_left(q); ++i) --q;
    }
    u.parent[p] = q;
    u.size[p] = 0;
    u.out[p] = kFresh;
    for (int32_t i = p; i < a.counters(); i += u.pixels) u.kept[i] = 0;  // the counts too, which lie behind
}

AINET_DEVICE void connect_unite(const Connectivity& a, int32_t image, int32_t p) {
    const Units u(a, image);
    // Otherwise p is linked to its left neighbour, or both are to the row above.
    if (!u.equal_above(p) || !u.equal_left(p) || u.labels[p - 1 - u.width] == u.labels[p]) return;
    int32_t first = u.root(p - 1), second = u.root(p);
    while (first != second) {
        const int32_t earlier = smaller(first, second), later = larger(first, second);
        const int32_t found = compare_and_swap(u.parent + later, later, earlier);
        if (found == later) return;
        first = earlier;  // `later` is a root no more
        second = u.root(found);
    }
}

AINET_DEVICE void connect_flatten(const Connectivity& a, int32_t image, int32_t i) {
    const Units u(a, image);
    int32_t component = 0, count = 0;
    for (int32_t p = i * kGroup; p < u.pixels && p < (i + 1) * kGroup; ++p) {
        const int32_t root = u.link_to_root(p);
        u.unit[p] = root;
        if (count > 0 && root != component) {
            add(u.size + component, count);
            count = 0;
        }
        component = root;
        ++count;
    }
    add(u.size + component, count);
}

AINET_DEVICE void connect_adopt(const Connectivity& a, int32_t image, int32_t unit) {
    const Units u(a, image);
    if (u.unit[unit] != unit) return;
    int32_t adjacent = unit;
    if (u.size[unit] >= u.min_size) {
        u.count_kept(unit);
    } else {
        u.grow(unit, [&](int32_t q) {
            if (u.unit[q] < unit) adjacent = u.unit[q];
            return u.unit[q] == unit && u.out[q] < 0;
        });
    }
    u.parent[unit] = adjacent;
}

AINET_DEVICE void connect_number(const Connectivity& a, int32_t image, int32_t unit) {
    const Units u(a, image);
    if (u.unit[unit] != unit || u.link_to_root(unit) != unit) return;
    u.size[unit] = u.size[unit] >= u.min_size ? u.kept_before(unit) : 0;  // 0: too small, and nothing was adjacent
}

AINET_DEVICE void connect_fill(const Connectivity& a, int32_t image, int32_t p) {
    const Units u(a, image);
    u.out[p] = u.size[u.parent[u.unit[p]]];
}

}  // namespace ainet::device
