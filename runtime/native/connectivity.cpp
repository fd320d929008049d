// The rules, as a program that visits every pixel would follow them:
//
//   Visit the pixels row by row. A pixel without a new label starts a component, which grows breadth first over the
//   unlabelled pixels of its old label (neighbours in the order right, left, down, up) and takes the next free label n.
//   Growth stops at once at max_size pixels. If it reached fewer than min_size, they take `adjacent` instead and n
//   stays free: the label of the last examined neighbour that had another new label already; 0 if there was none.
//
// Here the same labels are found without visiting most pixels:
//
//   1. Links: compare every pixel with its right and its lower neighbour. All the rest follows from these two bit maps.
//   2. Components: unite runs (stretches of one label in a row) into the 4-connected components, and count their pixels.
//   3. Relabelling: go through the components in the order of their first pixels. One within the bounds is kept as it
//      is. One below min_size is grown by the rules to find `adjacent`. One above max_size is cut by the rules.
//   4. Fill: every run takes the label of its component; the pixels of cut components have their own.
#include "connectivity.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "clones.h"

namespace ainet {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "pack_bits takes the first byte as the lowest");

using Bits = std::vector<uint64_t>;  // one bit for each pixel, in raster order

inline bool test(const Bits& bits, int32_t p) { return bits[p >> 6] >> (p & 63) & 1; }

// Bit i is byte i, for 64 bytes of 0 or 1.
inline uint64_t pack_bits(const uint8_t* bytes) {
    uint64_t bits = 0;
    for (int i = 0; i < 64; i += 8) {
        uint64_t eight;
        std::memcpy(&eight, bytes + i, 8);
        bits |= (eight * 0x0102040810204080u >> 56) << i;  // the product gathers the eight bits in its top byte
    }
    return bits;
}

// Bit p: labels[p] == labels[p + offset]; 0 where p + offset is outside.
template <typename Label>
Bits equal_bits(const Label* labels, int64_t pixels, int64_t offset) {
    Bits bits((pixels + 63) / 64);
    for (int64_t first = 0; first < pixels - offset; first += 64) {
        const Label *a = labels + first, *b = a + offset;
        uint8_t equal[64];
        if (const int64_t left = pixels - offset - first; left >= 64) {
            for (int i = 0; i < 64; ++i) equal[i] = a[i] == b[i];
        } else {
            for (int i = 0; i < 64; ++i) equal[i] = i < left && a[i] == b[i];
        }
        bits[first >> 6] = pack_bits(equal);
    }
    return bits;
}

enum Direction { kRight, kLeft, kDown, kUp };  // the order in which growth examines neighbours

// Which neighbours of a pixel have its old label, and so are in its component.
struct Links {
    const int32_t pixels, width;
    Bits right, below;

    template <typename Label>
    Links(const Label* labels, int height, int width)
        : pixels(height * width), width(width), right(equal_bits(labels, pixels, 1)), below(equal_bits(labels, pixels, width)) {
        for (int64_t p = width - 1; p < pixels; p += width) right[p >> 6] &= ~(uint64_t{1} << (p & 63));
    }

    int32_t offset(int direction) const {
        const int32_t offsets[] = {1, -1, width, -width};
        return offsets[direction];
    }

    bool inside(int32_t p, int direction) const {
        switch (direction) {
            case kRight: return (p + 1) % width != 0;
            case kLeft: return p % width != 0;
            case kDown: return p < pixels - width;
            default: return p >= width;
        }
    }

    bool has(int32_t p, int direction) const {
        switch (direction) {
            case kRight: return test(right, p);
            case kLeft: return p > 0 && test(right, p - 1);
            case kDown: return test(below, p);
            default: return p >= width && test(below, p - width);
        }
    }

    size_t words() const { return right.size(); }

    // Which of the pixels 64 k, 64 k + 1, ... are the last of their run.
    uint64_t run_ends(size_t k) const {
        const int64_t rest = pixels - int64_t{64} * static_cast<int64_t>(k);
        return ~right[k] & (rest < 64 ? (uint64_t{1} << rest) - 1 : ~uint64_t{0});
    }
};

class Components {
  public:
    std::vector<int32_t> run_begin;  // first pixel of each run, then the number of pixels
    std::vector<int32_t> component;  // of each run; components are numbered in the order of their first pixels
    std::vector<int32_t> first_run;  // of each component, then the number of runs
    std::vector<int32_t> size;       // pixels of each component

    explicit Components(const Links& links) : links_(links), runs_before_(links.words()) {
        find_runs();
        unite_runs();
        number_components();
    }

    int32_t of(int32_t p) const { return component[run_of(p)]; }

  private:
    const Links& links_;
    std::vector<int32_t> runs_before_;  // runs that end before pixel 64 k

    int32_t run_of(int32_t p) const {
        const uint64_t before = (uint64_t{1} << (p & 63)) - 1;
        return runs_before_[p >> 6] + __builtin_popcountll(~links_.right[p >> 6] & before);
    }

    void find_runs() {
        size_t runs = 0;
        for (size_t k = 0; k < links_.words(); ++k) {
            runs_before_[k] = static_cast<int32_t>(runs);
            runs += __builtin_popcountll(links_.run_ends(k));
        }
        run_begin.resize(runs + 1);
        size_t run = 0;
        for (size_t k = 0; k < links_.words(); ++k) {
            for (uint64_t ends = links_.run_ends(k); ends; ends &= ends - 1) {
                run_begin[++run] = static_cast<int32_t>(64 * k) + __builtin_ctzll(ends) + 1;
            }
        }
    }

    // Union-find. While it goes on, component[run] is an earlier run of the same component, or the run itself.
    int32_t root(int32_t run) {
        while (component[run] != run) run = component[run] = component[component[run]];
        return run;
    }

    void unite_runs() {
        component.resize(run_begin.size() - 1);
        for (size_t run = 0; run < component.size(); ++run) component[run] = static_cast<int32_t>(run);
        for (size_t k = 0; k < links_.words(); ++k) {
            // One link is enough for two runs that touch: the last before either ends.
            const uint64_t below = links_.below[k];
            for (uint64_t last = below & (links_.run_ends(k) | ~(below >> 1)); last; last &= last - 1) {
                const int32_t p = static_cast<int32_t>(64 * k) + __builtin_ctzll(last);
                const int32_t upper = run_of(p), lower = run_of(p + links_.width);
                if (component[lower] == lower) {  // not united with any yet
                    component[lower] = component[upper];
                } else {
                    const int32_t a = root(upper), b = root(lower);
                    component[std::max(a, b)] = std::min(a, b);
                }
            }
        }
    }

    void number_components() {
        size_t components = 0;
        for (size_t run = 0; run < component.size(); ++run) components += component[run] == static_cast<int32_t>(run);
        size.resize(components);
        first_run.resize(components + 1);
        int32_t next = 0;
        for (int32_t run = 0; run < static_cast<int32_t>(component.size()); ++run) {
            const int32_t parent = component[run];
            const bool is_new = parent == run;
            first_run[next] = run;  // stays if the run is new
            component[run] = is_new ? next : component[parent];
            next += is_new;
            size[component[run]] += run_begin[run + 1] - run_begin[run];
        }
        first_run[next] = static_cast<int32_t>(component.size());
    }
};

class Relabelling {
  public:
    Relabelling(const Links& links, const Components& components, int64_t min_size, int64_t max_size)
        : links_(links), components_(components), min_size_(min_size), max_size_(max_size), label_(components.size.size()),
          reached_(new bool[links.pixels]()) {
        int32_t largest = 0;
        for (size_t c = 0; c < label_.size(); ++c) {
            label_[c] = components.size[c] > max_size ? kCut : kUnknown;
            largest = std::max(largest, components.size[c]);
        }
        grown_.reset(new int32_t[size_t(largest) + 1]);
        if (largest > max_size) piece_label_.reset(new int32_t[links.pixels]);
    }

    void label_components() {
        for (size_t c = 0; c < label_.size(); ++c) {
            if (label_[c] == kUnknown) label_[c] = components_.size[c] >= min_size_ ? next_++ : adjacent_of_component(c);
            if (!piece_label_) continue;
            for (int32_t run = components_.first_run[c]; run < components_.first_run[c + 1]; ++run) cut_pieces(run);
        }
    }

    void fill(int32_t* out) const {
        constexpr int kShort = 8;
        for (size_t run = 0; run < components_.component.size(); ++run) {
            const int32_t label = label_[components_.component[run]];
            const int32_t first = components_.run_begin[run], length = components_.run_begin[run + 1] - first;
            if (label == kCut) {
                std::copy_n(piece_label_.get() + first, length, out + first);
            } else if (first < links_.pixels - kShort) {
                std::fill_n(out + first, kShort, label);  // a fixed length is fast; the next runs overwrite what is too much
                if (length > kShort) std::fill_n(out + first + kShort, length - kShort, label);
            } else {
                std::fill_n(out + first, length, label);
            }
        }
    }

  private:
    static constexpr int32_t kUnknown = -1, kCut = -2;

    const Links& links_;
    const Components& components_;
    const int64_t min_size_, max_size_;
    int32_t next_ = 0;                        // the next free label
    std::vector<int32_t> label_;              // new label of each component, unless it is cut
    std::unique_ptr<int32_t[]> piece_label_;  // new label of each pixel of a cut component, once reached
    std::unique_ptr<bool[]> reached_;         // whether growth has reached a pixel
    std::unique_ptr<int32_t[]> grown_;        // the pixels of the latest growth, in their order
    int32_t count_ = 0;                       // how many they are

    int32_t adjacent_of_component(size_t c) {
        const int32_t run = components_.first_run[c], first = components_.run_begin[run], end = components_.run_begin[run + 1];
        const int32_t size = components_.size[c];
        // A component of one run grows from left to right, and the last it examines is the pixel above its right end.
        if (size == end - first && size < max_size_ && first >= links_.width) return label_of(end - 1 - links_.width);
        return last_label_examined(grow(first));
    }

    void cut_pieces(int32_t run) {
        if (label_[components_.component[run]] != kCut) return;
        for (int32_t p = components_.run_begin[run]; p < components_.run_begin[run + 1]; ++p) {
            if (!reached_[p]) cut_piece(p);
        }
    }

    void cut_piece(int32_t start) {
        const int64_t examined = grow(start);
        for (int32_t i = 0; i < count_; ++i) piece_label_[grown_[i]] = next_;
        if (count_ >= min_size_) {
            ++next_;
        } else {
            const int32_t adjacent = last_label_examined(examined);
            for (int32_t i = 0; i < count_; ++i) piece_label_[grown_[i]] = adjacent;
        }
    }

    // Grows from a pixel, into grown_. Returns how many neighbours were examined: four of each pixel, one after the other,
    // until growth stopped.
    int64_t grow(int32_t start) {
        int32_t* const grown = grown_.get();
        bool* const reached = reached_.get();
        reached[start] = true;
        grown[0] = start;
        int32_t count = 1;
        int64_t examined = 0;
        for (int32_t head = 0; head < count && count < max_size_; ++head) {
            const int32_t p = grown[head];
            for (int direction = 0; direction < 4; ++direction) {
                const int32_t q = links_.has(p, direction) ? p + links_.offset(direction) : p;
                const bool joins = !reached[q];  // no branch: no processor would foresee it
                reached[q] = true;
                grown[count] = q;
                count += joins;
                ++examined;
                if (count == max_size_) break;
            }
        }
        count_ = count;
        return examined;
    }

    // `adjacent` after a growth that examined so many neighbours.
    int32_t last_label_examined(int64_t examined) const {
        for (int64_t e = examined - 1; e >= 0; --e) {
            const int32_t p = grown_[e / 4];
            const int direction = static_cast<int>(e % 4);
            if (!links_.inside(p, direction)) continue;
            const int32_t label = label_of(p + links_.offset(direction));
            if (label != kUnknown && label != next_) return label;
        }
        return 0;
    }

    int32_t label_of(int32_t p) const {
        const int32_t label = label_[components_.of(p)];
        if (label == kCut) return reached_[p] ? piece_label_[p] : kUnknown;
        return label;
    }
};

AINET_CLONES void relabel(const Links& links, int64_t min_size, int64_t max_size, int32_t* out) {
    const Components components(links);
    Relabelling relabelling(links, components, min_size, max_size);
    relabelling.label_components();
    relabelling.fill(out);
}

}  // namespace

template <typename Label>
void enforce_connectivity(const Label* labels, int height, int width, int64_t min_size, int64_t max_size, int32_t* out) {
    relabel(Links(labels, height, width), min_size, max_size, out);
}

template void enforce_connectivity(const uint8_t*, int, int, int64_t, int64_t, int32_t*);
template void enforce_connectivity(const uint16_t*, int, int, int64_t, int64_t, int32_t*);
template void enforce_connectivity(const uint32_t*, int, int, int64_t, int64_t, int32_t*);
template void enforce_connectivity(const uint64_t*, int, int, int64_t, int64_t, int32_t*);

}  // namespace ainet
