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

    // Targets from `begin` to `end`. Sources are counted from `offset` on. Single precision, as in resize.h.
    Places(int sources, int targets, int begin, int end, int offset, int cell_size) {
        const float scale = static_cast<float>(static_cast<double>(sources) / targets);
        for (int j = begin; j < end; ++j) {
            const float centre = (static_cast<float>(j) + 0.5f) * scale - 0.5f;
            const int before = static_cast<int>(centre + 1.0f) - 1;  // rounded down: the centre is above -1
            const int around[] = {std::max(before, 0), std::min(before + 1, sources - 1)};
            for (int k = 0; k < 2; ++k) {
                source[k].push_back(around[k] - offset);
                cell[k].push_back(around[k] / cell_size);
            }
            weight.push_back(centre - static_cast<float>(before));
        }
    }
};

template <typename Score>
class Interpolation {
  public:
    Interpolation(const Score* scores, bool logits, const Part& part, const Sizes& sizes, const Window& window)
        : scores_(scores), logits_(logits), none_(logits ? -1e30f : 0.0f), part_(part), sizes_(sizes), window_(window),
          plane_(int64_t{part.h} * part.w), rows_(sizes.h / sizes.cell), columns_(sizes.w / sizes.cell),
          y_(sizes.h, sizes.height, window.top, window.bottom, part.top, sizes.cell),
          x_(sizes.w, sizes.width, window.left, window.right, part.left, sizes.cell), differ_(part.w),
          mixed_(window.right - window.left + 1) {
        for (Row& row : kept_) row.best.resize(part.w);
        for (int i = -1; i <= rows_; ++i) {
            for (int j = -1; j <= columns_; ++j) {
                places_.push_back({i, j});
                ids_.push_back(std::clamp(i, 0, rows_ - 1) * columns_ + std::clamp(j, 0, columns_ - 1));
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

    // Some pixels of a row that are computed together: what is known of the four working pixels around each.
    struct Group {
        int32_t ids[kAround][kLanes];                // of their best cells, which compete
        float scores[kAround][kAround][kLanes];      // of each of these, for each of the four
        float across[kLanes];                        // how far right the centre lies between them
    };

    const Score* scores_;
    const bool logits_;
    const float none_;  // the score of a cell that is not among a pixel's nine
    const Part part_;
    const Sizes sizes_;
    const Window window_;
    const int64_t plane_;
    const int rows_, columns_;  // of the grid
    std::vector<Place> places_;   // of each cell of the grid with those around it outside, row by row, by which cells are numbered here
    std::vector<int32_t> ids_;    // of these cells
    const Places y_, x_;
    std::vector<uint8_t> differ_; // whether a working pixel in the upper current row and those right, below and below right of it differ
    std::vector<int32_t> mixed_;  // columns of the current row where the four pixels around do not agree
    std::array<Row, 2> kept_;     // two rows one after the other
    std::array<Group, 16> groups_{};

    const int32_t* best_of_row(int y) {
        Row& row = kept_[y & 1];
        if (row.y == y) return row.best.data();
        row.y = y;
        const int cell_row = (part_.top + y) / sizes_.cell;
        const Score* score = scores_ + int64_t{y} * part_.w;
        for (int x = 0; x < part_.w;) {
            const int cell_column = (part_.left + x) / sizes_.cell;
            Ints ids[kNeighbours];
            for (int n = 0; n < kNeighbours; ++n) {
                ids[n] = Ints{} + ((cell_row + n / 3) * (columns_ + 2) + cell_column + n % 3);
            }
            for (const int end = x + sizes_.cell; x < end; x += kLanes) {
                const Ints id = best_id(score + x, plane_, best_score(score + x, plane_), ids);
                std::memcpy(&row.best[x], &id, sizeof id);
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

    // Computes the listed columns of row i of the window. Without branches on what pixels hold: no processor would foresee them. And
    // many are gathered before they are computed: what was just written piece by piece is slow to read as vectors.
    void resolve(int i, int count, const int32_t* above, const int32_t* below, int32_t* out) {
        const int groups = static_cast<int>(groups_.size());
        for (int first = 0; first < count; first += groups * kLanes) {
            const int end = std::min(count, first + groups * kLanes);
            for (int m = first; m < end; ++m) gather(i, mixed_[m], above, below, groups_[(m - first) / kLanes], (m - first) % kLanes);
            for (int m = first; m < end; m += kLanes) {
                const Ints ids = best_of(groups_[(m - first) / kLanes], y_.weight[i]);
                for (int lane = 0; lane < std::min(kLanes, end - m); ++lane) out[mixed_[m + lane]] = ids_[ids[lane]];
            }
        }
    }

    void gather(int i, int k, const int32_t* above, const int32_t* below, Group& group, int lane) const {
        const int left = x_.source[0][k], right = x_.source[1][k];
        const int32_t ids[kAround] = {above[left], above[right], below[left], below[right]};
        const Score* const rows[] = {scores_ + int64_t{y_.source[0][i]} * part_.w, scores_ + int64_t{y_.source[1][i]} * part_.w};
        const Score* const pixels[kAround] = {rows[0] + left, rows[0] + right, rows[1] + left, rows[1] + right};
        const int row[] = {y_.cell[0][i], y_.cell[1][i]}, column[] = {x_.cell[0][k], x_.cell[1][k]};
        const bool in_one_cell = row[0] == row[1] && column[0] == column[1];  // most often
        for (int c = 0; c < kAround; ++c) {
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
        group.across[lane] = x_.weight[k];
    }

    Ints best_of(const Group& group, float down) const {
        const Floats across = load(group.across);
        const Floats weights[kAround] = {(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across};
        Ints ids[kAround], is_new[kAround];
        for (int c = 0; c < kAround; ++c) {
            std::memcpy(&ids[c], group.ids[c], sizeof ids[c]);
            is_new[c] = Ints{} - 1;
            for (int earlier = 0; earlier < c; ++earlier) is_new[c] &= ids[c] != ids[earlier];
        }
        Floats shares[kAround][kAround];  // of each cell in each of the four pixels, by their weights
        for (int p = 0; p < kAround; ++p) {
            Floats sum{};
            for (int c = 0; c < kAround; ++c) {
                const Floats score = load(group.scores[c][p]);
                const Floats association = logits_ ? exponential(score - load(group.scores[p][p])) : score;
                shares[c][p] = is_new[c] ? association : Floats{};
                sum += shares[c][p];
            }
            const Floats scale = weights[p] / sum;
            for (int c = 0; c < kAround; ++c) shares[c][p] *= scale;
        }
        Ints best = ids[0];
        Floats most{};
        for (int c = 0; c < kAround; ++c) {
            const Floats share = (shares[c][0] + shares[c][1]) + (shares[c][2] + shares[c][3]);
            best = share > most ? ids[c] : best;
            most = larger(share, most);
        }
        return best;
    }
};

template <typename Score>
void average(const Score* scores, bool logits, int h, int w, int begin, int end, float* out) {
    const int64_t plane = int64_t{h} * w, blocks = w / kBlock;
    for (int64_t i = begin; i < end; ++i) {
        for (int64_t j = 0; j < blocks; ++j) {
            Floats sums[kNeighbours] = {};
            for (int y = 0; y < kBlock; ++y) {
                Floats values[kNeighbours];
                associate(scores + (i * kBlock + y) * w + j * kBlock, plane, logits, values);
                for (int n = 0; n < kNeighbours; ++n) sums[n] += values[n];
            }
            for (int n = 0; n < kNeighbours; ++n) {
                const Floats s = sums[n];
                out[n * (plane / (kBlock * kBlock)) + i * blocks + j] = ((s[0] + s[1]) + (s[2] + s[3])) * (1.0f / (kBlock * kBlock));
            }
        }
    }
}

static_assert(kBlock == kLanes, "a row of a block is one vector");

}  // namespace

AINET_CLONES void interpolate(const float* scores, bool logits, const Part& part, const Sizes& sizes, const Window& window, int32_t* out) {
    Interpolation(scores, logits, part, sizes, window).run(out);
}

AINET_CLONES void interpolate(const uint16_t* scores, bool logits, const Part& part, const Sizes& sizes, const Window& window,
                              int32_t* out) {
    Interpolation(scores, logits, part, sizes, window).run(out);
}

AINET_CLONES void average_blocks(const float* scores, bool logits, int h, int w, int begin, int end, float* out) {
    average(scores, logits, h, w, begin, end, out);
}

AINET_CLONES void average_blocks(const uint16_t* scores, bool logits, int h, int w, int begin, int end, float* out) {
    average(scores, logits, h, w, begin, end, out);
}

}  // namespace ainet
