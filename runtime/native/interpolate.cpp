#include "interpolate.h"

#include <algorithm>
#include <array>
#include <vector>

#include "clones.h"
#include "lanes.h"

namespace ainet {
namespace {

// Of each target: the two sources around its centre, the cells that these are in, and the weight of the second.
struct Places {
    std::vector<int32_t> source[2], cell[2];
    std::vector<float> weight;

    // Targets from `begin` to `end`. Sources, and their cells, are counted from `offset` on. Single precision, as in resize.h.
    Places(int sources, int targets, int begin, int end, int offset, int cell_size) {
        const float scale = static_cast<float>(static_cast<double>(sources) / targets);
        for (int j = begin; j < end; ++j) {
            const float centre = (static_cast<float>(j) + 0.5f) * scale - 0.5f;
            const int before = static_cast<int>(centre + 1.0f) - 1;  // rounded down: the centre is above -1
            const int around[] = {std::max(before, 0), std::min(before + 1, sources - 1)};
            for (int k = 0; k < 2; ++k) {
                source[k].push_back(around[k] - offset);
                cell[k].push_back((around[k] - offset) / cell_size);
            }
            weight.push_back(centre - static_cast<float>(before));
        }
    }
};

// kStep: 2 where each plane of scores lies in quarters, else 1.
template <typename Score, int kStep>
class Interpolation {
  public:
    Interpolation(const Score* scores, bool logits, const Part& part, const Sizes& sizes, const Window& window)
        : scores_(scores), logits_(logits), none_(logits ? -1e30f : 0.0f), part_(part), sizes_(sizes), window_(window),
          plane_(int64_t{part.h} * part.w), stride_(part.w / sizes.cell + 2),
          y_(sizes.h, sizes.height, window.top, window.bottom, part.top, sizes.cell),
          x_(sizes.w, sizes.width, window.left, window.right, part.left, sizes.cell), differ_(part.w),
          mixed_(window.right - window.left + 1) {
        for (Row& row : kept_) row.best.resize(part.w);
        const int rows = sizes.h / sizes.cell, columns = sizes.w / sizes.cell;  // of the whole grid
        for (int i = -1; i <= part.h / sizes.cell; ++i) {
            const int row = std::clamp(part.top / sizes.cell + i, 0, rows - 1);
            for (int j = -1; j <= part.w / sizes.cell; ++j) {
                places_.push_back({i, j});
                ids_.push_back(row * columns + std::clamp(part.left / sizes.cell + j, 0, columns - 1));
            }
        }
    }

    void run(int32_t* out) {
        for (int i = 0; i < window_.bottom - window_.top; ++i) {
            int32_t* const target = out + int64_t{window_.top + i} * sizes_.width + window_.left;
            const int32_t *above = best_of_row(y_.source[0][i]), *below = best_of_row(y_.source[1][i]);
            const int mixed = copy_agreed(above, below, target);
            resolve(i, mixed, above, below, target);
        }
    }

  private:
    static constexpr int kAround = 4;  // working pixels around a pixel, and so the most cells that compete for it

    struct Row {
        int y = -1;
        std::vector<int32_t> best;  // cells
    };

    struct Place {
        int row, column;
    };

    // Pixels of a row that are computed together, one in each lane: what is known of the four working pixels around each.
    template <int kCells>
    struct Group {
        int32_t ids[kCells][kLanes];            // of their best cells, which compete; with kCells = 2 there are no more than two
        float scores[kCells][kAround][kLanes];  // of each of these, for each of the four
        float best[kAround][kLanes];            // of these scores that of the pixel's own best cell
        float across[kLanes];                   // how far right the centre lies between them
    };

    // Some more of them, gathered before any is computed: what was just written piece by piece is slow to read as vectors.
    template <int kCells>
    struct Batch {
        static constexpr int kMost = 64;
        Group<kCells> groups[kMost / kLanes] = {};
        int32_t columns[kMost];
        int count = 0;
    };

    const Score* scores_;
    const bool logits_;
    const float none_;  // the score of a cell that is not among a pixel's nine
    const Part part_;
    const Sizes sizes_;
    const Window window_;
    const int64_t plane_;
    // Cells are numbered here row by row: those of the part, and one more on every side. There may be far more in the whole grid.
    const int stride_;            // how many a row has
    std::vector<Place> places_;   // of these cells, counted from the first one of the part on
    std::vector<int32_t> ids_;    // of these cells in the whole grid
    const Places y_, x_;
    std::vector<uint8_t> differ_; // whether a working pixel in the upper current row and those right, below and below right of it differ
    std::vector<int32_t> mixed_;  // columns of the current row where the four pixels around do not agree
    std::array<Row, 2> kept_;     // two rows one after the other
    Batch<2> two_;
    Batch<kAround> more_;

    // Where in a plane of scores a row starts, and a column lies from there.
    int64_t row_start(int y) const { return y % kStep * (plane_ / kStep) + int64_t{y / kStep} * (part_.w / kStep); }
    int64_t column_offset(int x) const { return x % kStep * (plane_ / (kStep * kStep)) + x / kStep; }

    const int32_t* best_of_row(int y) {
        Row& row = kept_[y & 1];
        if (row.y == y) return row.best.data();
        row.y = y;
        const Score* const scores = scores_ + row_start(y);
        for (int x = 0; x < part_.w; x += sizes_.cell) {
            Ints ids[kNeighbours];
            for (int n = 0; n < kNeighbours; ++n) ids[n] = Ints{} + ((y / sizes_.cell + n / 3) * stride_ + x / sizes_.cell + n % 3);
            for (int first = x; first < x + sizes_.cell; first += kStep * kLanes) {
                int32_t best[kStep][kLanes];
                for (int column = 0; column < kStep; ++column) {
                    const Score* const score = scores + column_offset(first + column);
                    const Ints id = best_id(score, plane_, best_score(score, plane_), ids);
                    std::memcpy(best[column], &id, sizeof id);
                }
                for (int k = 0; k < kStep * kLanes; ++k) row.best[first + k] = best[k % kStep][k / kStep];
            }
        }
        return row.best.data();
    }

    // Writes a row where the four pixels around agree, and anything elsewhere; lists these columns. Returns how many they are.
    int copy_agreed(const int32_t* above, const int32_t* below, int32_t* out) {
        uint8_t* differ = differ_.data();
        const int last = part_.w - 1;
        for (int x = 0; x < last; ++x) {
            differ[x] = (above[x] != above[x + 1]) | (above[x] != below[x]) | (above[x] != below[x + 1]);
        }
        differ[last] = above[last] != below[last];
        const int32_t *left = x_.source[0].data(), *ids = ids_.data();
        int32_t* mixed = mixed_.data();
        int count = 0;
        for (int x = 0; x < window_.right - window_.left; ++x) {
            out[x] = ids[above[left[x]]];
            mixed[count] = x;  // stays if they do not agree
            count += differ[left[x]];
        }
        return count;
    }

    // Computes the listed columns of row i of the window. Nearly all are between two cells, which takes half the work.
    void resolve(int i, int count, const int32_t* above, const int32_t* below, int32_t* out) {
        for (int m = 0; m < count; ++m) {
            const int k = mixed_[m], left = x_.source[0][k], right = x_.source[1][k];
            const int32_t best[kAround] = {above[left], above[right], below[left], below[right]};
            const bool as_right = best[1] == best[0], as_below = best[2] == best[0];
            const int32_t two[] = {best[0], best[1 + as_right + (as_right & as_below)]};  // no branch: no processor would foresee it
            const bool is_between_two = (as_below | (best[2] == two[1])) & ((best[3] == two[0]) | (best[3] == two[1]));
            if (is_between_two) {
                add(two_, i, k, two, best, out);
            } else {
                add(more_, i, k, best, best, out);
            }
        }
        finish(two_, i, out);
        finish(more_, i, out);
    }

    template <int kCells>
    void add(Batch<kCells>& batch, int i, int k, const int32_t (&ids)[kCells], const int32_t (&best)[kAround], int32_t* out) const {
        gather(i, k, ids, best, batch.groups[batch.count / kLanes], batch.count % kLanes);
        batch.columns[batch.count++] = k;
        if (batch.count == batch.kMost) finish(batch, i, out);
    }

    template <int kCells>
    void finish(Batch<kCells>& batch, int i, int32_t* out) const {
        for (int m = 0; m < batch.count; m += kLanes) {
            const Ints ids = best_of(batch.groups[m / kLanes], y_.weight[i]);
            for (int lane = 0; lane < std::min(kLanes, batch.count - m); ++lane) out[batch.columns[m + lane]] = ids_[ids[lane]];
        }
        batch.count = 0;
    }

    template <int kCells>
    void gather(int i, int k, const int32_t (&ids)[kCells], const int32_t (&best)[kAround], Group<kCells>& group, int lane) const {
        const Score* const rows[] = {scores_ + row_start(y_.source[0][i]), scores_ + row_start(y_.source[1][i])};
        const int64_t columns[] = {column_offset(x_.source[0][k]), column_offset(x_.source[1][k])};
        const Score* const pixels[kAround] = {rows[0] + columns[0], rows[0] + columns[1], rows[1] + columns[0], rows[1] + columns[1]};
        const int row[] = {y_.cell[0][i], y_.cell[1][i]}, column[] = {x_.cell[0][k], x_.cell[1][k]};
        const bool in_one_cell = row[0] == row[1] && column[0] == column[1];  // most often
        for (int c = 0; c < kCells; ++c) {
            const Place cell = places_[ids[c]];
            group.ids[c][lane] = ids[c];
            if (in_one_cell) {
                const int64_t offset = ((cell.row - row[0] + 1) * 3 + cell.column - column[0] + 1) * plane_;
                for (int p = 0; p < kAround; ++p) group.scores[c][p][lane] = load_one(pixels[p] + offset);
                continue;
            }
            for (int p = 0; p < kAround; ++p) {
                const unsigned down = cell.row - row[p / 2] + 1, across = cell.column - column[p % 2] + 1;
                group.scores[c][p][lane] = down < 3 && across < 3 ? load_one(pixels[p] + (down * 3 + across) * plane_) : none_;
            }
        }
        for (int p = 0; p < kAround; ++p) {
            const int own = kCells == 2 ? best[p] != ids[0] : p;
            group.best[p][lane] = group.scores[own][p][lane];
        }
        group.across[lane] = x_.weight[k];
    }

    template <int kCells>
    Ints best_of(const Group<kCells>& group, float down) const {
        const Floats across = load(group.across);
        const Floats weights[kAround] = {(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across};
        Ints ids[kCells], is_new[kCells];
        for (int c = 0; c < kCells; ++c) {
            std::memcpy(&ids[c], group.ids[c], sizeof ids[c]);
            is_new[c] = Ints{} - 1;
            for (int earlier = 0; earlier < c; ++earlier) is_new[c] &= ids[c] != ids[earlier];
        }
        Floats shares[kCells][kAround];  // of each cell in each of the four pixels, by their weights
        for (int p = 0; p < kAround; ++p) {
            Floats sum{};
            for (int c = 0; c < kCells; ++c) {
                const Floats score = load(group.scores[c][p]);
                const Floats association = logits_ ? exponential(score - load(group.best[p])) : score;
                shares[c][p] = is_new[c] ? association : Floats{};
                sum += shares[c][p];
            }
            const Floats scale = weights[p] / sum;
            for (int c = 0; c < kCells; ++c) shares[c][p] *= scale;
        }
        Ints best = ids[0];
        Floats most{};
        for (int c = 0; c < kCells; ++c) {
            const Floats share = (shares[c][0] + shares[c][1]) + (shares[c][2] + shares[c][3]);
            best = share > most ? ids[c] : best;
            most = larger(share, most);
        }
        return best;
    }
};

template <typename Score>
void interpolate_any(const Score* scores, bool in_quarters, bool logits, const Part& part, const Sizes& sizes, const Window& window,
                     int32_t* out) {
    if (in_quarters) {
        Interpolation<Score, 2>(scores, logits, part, sizes, window).run(out);
    } else {
        Interpolation<Score, 1>(scores, logits, part, sizes, window).run(out);
    }
}

}  // namespace

AINET_CLONES void interpolate(const float* scores, bool in_quarters, bool logits, const Part& part, const Sizes& sizes,
                              const Window& window, int32_t* out) {
    interpolate_any(scores, in_quarters, logits, part, sizes, window, out);
}

AINET_CLONES void interpolate(const uint16_t* scores, bool in_quarters, bool logits, const Part& part, const Sizes& sizes,
                              const Window& window, int32_t* out) {
    interpolate_any(scores, in_quarters, logits, part, sizes, window, out);
}

}  // namespace ainet
