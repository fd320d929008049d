// Cutting components above max_size, by a team. In the queue of a breadth-first growth the first entries can be examined
// all at once: each claims the pixels that it would add, a pixel goes to the earliest claim, and what was won joins the
// queue in the order of the entries and their directions. The result is that of one entry after the other.
#pragma once

#include "connectivity.cuh"

namespace ainet::device {

constexpr int32_t kTeamPixels = 128;  // that a team looks through for components to cut, one after the other: few start so close together
constexpr int32_t kReached = 1 << 20;  // a mark: the pixel is not in the component, or no longer free; claims are from 0 up to this
constexpr int32_t kWalk = -2;          // a mark: no longer free, and connect_adopt will walk there
constexpr int kAhead = 16;             // loads that do not wait for each other

// Marks for the rectangle around a component and a margin of one pixel, if there is room in the team's tile, else for the image.
struct Field {
    int32_t* marks;
    const int32_t* parent;  // of the pixels; null in a tile, where those of other components are marked
    int32_t first, stride, cells, component, width;

    AINET_DEVICE int32_t pixel(int32_t cell) const { return first + cell / stride * width + cell % stride; }

    AINET_DEVICE bool is_free(int32_t cell) const {
        const int32_t mark = load(marks + cell);
        return mark >= kFresh && mark < kReached && (parent == nullptr || parent[cell] == component);
    }
};

AINET_DEVICE Field make_field(const Units& u, int32_t component, int32_t total, const Team& team) {
    int32_t left = u.width, right = -1, last = component;
    for (int32_t start = component, found = 0; found < total; start += kAhead * team.size) {
        int32_t mine = 0;
        for (int i = 0; i < kAhead; ++i) {
            const int32_t p = start + i * team.size + team.rank();
            if (p >= u.pixels || u.parent[p] != component) continue;
            left = smaller(left, p % u.width);
            right = larger(right, p % u.width);
            last = p;
            ++mine;
        }
        int32_t sum;
        team.sum_before(mine, sum);
        found += sum;
    }
    left = team.minimum(left);
    right = -team.minimum(-right);
    const int32_t top = component / u.width, bottom = -team.minimum(-last) / u.width;

    const int32_t stride = right - left + 3;
    const int64_t cells = int64_t{stride} * (bottom - top + 3);
    if (cells > kTile) return {u.out, u.parent, 0, u.width, u.pixels, component, u.width};
    const Field field{team.tile, nullptr, (top - 1) * u.width + left - 1, stride, static_cast<int32_t>(cells), component, u.width};
    for (int32_t from = team.rank(); from < field.cells; from += kAhead * team.size) {
        int32_t marks[kAhead];
        for (int i = 0; i < kAhead; ++i) {
            const int32_t cell = from + i * team.size, x = cell % stride, y = cell / stride;
            const bool margin = x == 0 || x == stride - 1 || y == 0 || y >= bottom - top + 2;
            marks[i] = !margin && u.parent[field.pixel(cell)] == component ? kFresh : kReached;
        }
        for (int i = 0; i < kAhead; ++i) {
            if (from + i * team.size < field.cells) store(field.marks + from + i * team.size, marks[i]);
        }
    }
    team.sync();
    return field;
}

// Grows a piece from a cell; its cells stand in `queue` in the order of growth. Returns their number.
AINET_DEVICE int32_t grow_piece(const Units& u, const Field& field, int32_t* queue, int32_t start, const Team& team) {
    team.sync();  // all have read the marks that led to `start`
    if (team.rank() == 0) {
        queue[0] = start;
        store(field.marks + start, kReached);
    }
    team.sync();
    int32_t count = 1;
    for (int32_t head = 0; head < count && count < u.max_size;) {
        const int32_t entries = smaller(team.size, count - head);
        bool claims[4] = {};
        int32_t cells[4];
        const int32_t first_claim = kReached - 1 - 4 * team.rank();  // the larger claim is the earlier one
        if (team.rank() < entries) {
            const int32_t cell = queue[head + team.rank()], x = cell % field.stride;
            const bool inside[] = {x + 1 < field.stride, x > 0, cell < field.cells - field.stride, cell >= field.stride};
            const int32_t neighbours[] = {cell + 1, cell - 1, cell + field.stride, cell - field.stride};
            for (int d = 0; d < 4; ++d) {
                cells[d] = neighbours[d];
                claims[d] = inside[d] && field.is_free(cells[d]);
            }
        }
        team.sync();  // between looking and claiming, and between looking at the claims and what follows from them
        for (int d = 0; d < 4; ++d) {
            if (claims[d]) raise(field.marks + cells[d], first_claim - d);
        }
        team.sync();
        int32_t won = 0, all_won;
        for (int d = 0; d < 4; ++d) {
            claims[d] = claims[d] && load(field.marks + cells[d]) == first_claim - d;
            won += claims[d];
        }
        int64_t place = int64_t{count} + team.sum_before(won, all_won);
        team.sync();
        for (int d = 0; d < 4; ++d) {
            if (!claims[d]) continue;
            const bool joins = place < u.max_size;
            store(field.marks + cells[d], joins ? kReached : kFresh);
            if (joins) queue[place++] = cells[d];
        }
        head += entries;
        count = static_cast<int32_t>(int64_t{count} + all_won < u.max_size ? count + all_won : u.max_size);
        team.sync();
    }
    // After the growth, where its steps need not wait for it.
    const int32_t unit = field.pixel(start);
    for (int32_t i = team.rank(); i < count; i += team.size) u.unit[field.pixel(queue[i])] = unit;
    return count;
}

AINET_DEVICE void cut(const Units& u, int32_t component, const Team& team) {
    const int32_t total = u.size[component];
    const Field field = make_field(u, component, total, team);
    const bool in_tile = field.marks == team.tile && field.cells + total <= kTile;
    int32_t* const queue =
        in_tile ? team.tile + field.cells : u.queue + team.minimum(team.rank() == 0 ? add(u.queue_end, total) : kLargest);
    for (int32_t left = total, from = field.marks == team.tile ? 0 : component; left > 0;) {
        int32_t mine = kLargest;
        for (int i = kAhead - 1; i >= 0; --i) {
            const int32_t cell = from + i * team.size + team.rank();
            if (cell < field.cells && field.is_free(cell)) mine = cell;
        }
        const int32_t start = team.minimum(mine);
        from = start == kLargest ? from + kAhead * team.size : start;
        if (start == kLargest) continue;

        const int32_t count = grow_piece(u, field, queue, start, team);
        if (team.rank() == 0) u.size[field.pixel(start)] = count;
        if (count < u.min_size && field.marks == u.out) {
            for (int32_t i = team.rank(); i < count; i += team.size) store(u.out + queue[i], kWalk);
        }
        left -= count;
        team.sync();
    }
}

AINET_DEVICE void connect_cut(const Connectivity& a, int32_t image, int32_t group, const Team& team) {
    const Units u(a, image);
    int32_t after = group * kTeamPixels;
    const int32_t end = smaller(after + kTeamPixels, u.pixels);
    while (after < end) {
        int32_t mine = kLargest;
        for (int32_t p = end - 1 - team.rank(); p >= after; p -= team.size) {
            if (u.parent[p] == p && u.size[p] > u.max_size) mine = p;
        }
        const int32_t component = team.minimum(mine);
        if (component == kLargest) return;
        cut(u, component, team);
        after = component + 1;
    }
}

}  // namespace ainet::device
