// The rules, in the words of a pixel-by-pixel implementation:
//
//   Visit the pixels row by row. A pixel without a new label starts a component, which grows breadth first over
//   unlabelled pixels of the same old label (neighbours: right, left, down, up) and takes the next free label n.
//   Growth stops at once at max_size pixels. If fewer than min_size were reached, they take `adjacent` instead and n
//   stays free: the label of the last examined neighbour that was labelled already, by another component; 0 if none.
//
// The same labels are found without visiting most pixels:
//
//   1. Compare each pixel with its right and its lower neighbour: two bit maps, from which all the rest follows.
//   2. Runs (stretches of one label in a row) are united over rows into the 4-connected components and their sizes.
//   3. Components in order of their first pixel: one within the bounds is kept as it is, one below min_size is walked
//      to find `adjacent`, one above max_size is cut by growing its pieces literally.
//   4. Every run takes the label of its component; the pixels of a cut component have theirs already.
#include "connectivity.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

namespace ainet {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "pack_bits takes the first byte as the lowest");

using Bits = std::vector<uint64_t>;  // one bit per pixel, raster order

inline bool test(const Bits& bits, int32_t p) { return bits[p >> 6] >> (p & 63) & 1; }
inline void clear(Bits& bits, int32_t p) { bits[p >> 6] &= ~(uint64_t{1} << (p & 63)); }

inline int popcount(uint64_t x) {
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    return ((x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u >> 56;
}

// Bit i is byte i, for 64 bytes of 0 or 1.
inline uint64_t pack_bits(const uint8_t* bytes) {
    uint64_t bits = 0;
    for (int i = 0; i < 8; ++i) {
        uint64_t eight;
        std::memcpy(&eight, bytes + 8 * i, 8);
        bits |= (eight * 0x0102040810204080u >> 56) << (8 * i);  // the product gathers the eight low bits in its top byte
    }
    return bits;
}

// Bit p: labels[p] == labels[p + offset]; 0 where p + offset is outside.
template <typename Label>
Bits equal_bits(const Label* labels, int32_t pixels, int32_t offset) {
    Bits bits((pixels + 63) / 64);
    for (int32_t first = 0; first < pixels - offset; first += 64) {
        const Label *a = labels + first, *b = a + offset;
        uint8_t equal[64];
        if (const int32_t left = pixels - offset - first; left >= 64) {
            for (int i = 0; i < 64; ++i) equal[i] = a[i] == b[i];
        } else {
            for (int i = 0; i < 64; ++i) equal[i] = i < left && a[i] == b[i];
        }
        bits[first >> 6] = pack_bits(equal);
    }
    return bits;
}

enum Direction { kRight, kLeft, kDown, kUp };

// Which neighbours of a pixel have its old label, hence are in its 4-connected component.
struct Links {
    const int32_t pixels, width;
    Bits right, below;

    template <typename Label>
    Links(const Label* labels, int height, int width)
        : pixels(height * width), width(width), right(equal_bits(labels, pixels, 1)), below(equal_bits(labels, pixels, width)) {
        for (int32_t p = width - 1; p < pixels; p += width) clear(right, p);
    }

    int32_t offset(int direction) const {
        const int32_t offsets[] = {1, -1, width, -width};
        return offsets[direction];
    }

    bool inside(int32_t p, int direction) const {
        switch (direction) {
            case kRight: return (p + 1) % width != 0;
            case kLeft: return p % width != 0;
            case kDown: return p + width < pixels;
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
};

class Components {
  public:
    std::vector<int32_t> run_begin;  // first pixel of each run, then the number of pixels
    std::vector<int32_t> component;  // of each run; components are numbered in the order of their first pixels
    std::vector<int32_t> first_run;  // of each component, then the number of runs
    std::vector<int32_t> size;       // pixels of each component

    explicit Components(const Links& links) : ends_(links.right.size()), runs_before_(links.right.size()) {
        find_runs(links);
        unite_runs(links);
        number_components();
    }

    int32_t runs() const { return static_cast<int32_t>(component.size()); }
    int32_t of(int32_t p) const { return component[run_of(p)]; }

  private:
    Bits ends_;                         // bit p: p is the last pixel of its run
    std::vector<int32_t> runs_before_;  // runs that end before each word of ends_

    int32_t run_of(int32_t p) const {
        const uint64_t before = (uint64_t{1} << (p & 63)) - 1;
        return runs_before_[p >> 6] + popcount(ends_[p >> 6] & before);
    }

    void find_runs(const Links& links) {
        int32_t runs = 0;
        for (size_t k = 0; k < ends_.size(); ++k) {
            ends_[k] = ~links.right[k];
            if (const int rest = links.pixels - static_cast<int32_t>(64 * k); rest < 64) ends_[k] &= (uint64_t{1} << rest) - 1;
            runs_before_[k] = runs;
            runs += popcount(ends_[k]);
        }
        run_begin.resize(runs + 1);
        component.resize(runs);
        int32_t run = 0;
        for (size_t k = 0; k < ends_.size(); ++k) {
            for (uint64_t word = ends_[k]; word; word &= word - 1) {
                run_begin[++run] = static_cast<int32_t>(64 * k) + __builtin_ctzll(word) + 1;
            }
        }
    }

    // Union-find; the parent of a run is an earlier run of its component, or the run itself.
    int32_t root(int32_t run) {
        while (component[run] != run) run = component[run] = component[component[run]];
        return run;
    }

    void unite_runs(const Links& links) {
        for (int32_t run = 0; run < runs(); ++run) component[run] = run;
        for (size_t k = 0; k < ends_.size(); ++k) {
            // One link per pair of runs that touch is enough: the last of each stretch of links that no run end divides.
            uint64_t last = links.below[k] & (ends_[k] | ~(links.below[k] >> 1));
            for (; last; last &= last - 1) {
                const int32_t p = static_cast<int32_t>(64 * k) + __builtin_ctzll(last);
                const int32_t above = run_of(p), below = run_of(p + links.width);
                if (component[below] == below) {  // its first link
                    component[below] = component[above];
                } else {
                    const int32_t a = root(above), b = root(below);
                    component[std::max(a, b)] = std::min(a, b);
                }
            }
        }
    }

    void number_components() {
        first_run.resize(runs() + 1);
        size.resize(runs());
        int32_t known = 0;
        for (int32_t run = 0; run < runs(); ++run) {
            const int32_t parent = component[run];
            const bool is_new = parent == run;
            first_run[known] = run;  // kept if it is new
            component[run] = is_new ? known : component[parent];
            known += is_new;
            size[component[run]] += run_begin[run + 1] - run_begin[run];
        }
        first_run[known] = runs();
        first_run.resize(known + 1);
        size.resize(known);
    }
};

class Relabelling {
  public:
    Relabelling(const Links& links, const Components& components, int64_t min_size, int64_t max_size)
        : links_(links), components_(components), min_size_(min_size), max_size_(max_size),
          label_(components.size.size(), kUnknown), reached_(new bool[links.pixels]()) {
        const int32_t largest = *std::max_element(components.size.begin(), components.size.end());
        grown_.reset(new int32_t[largest + 1]);
        if (largest > max_size) piece_label_.reset(new int32_t[links.pixels]);
        for (size_t c = 0; c < label_.size(); ++c) if (components.size[c] > max_size) label_[c] = kCut;
    }

    void label_components() {
        for (size_t c = 0; c < label_.size(); ++c) {
            if (label_[c] == kUnknown) label_[c] = components_.size[c] >= min_size_ ? next_++ : adjacent_of_component(c);
            if (!piece_label_) continue;
            for (int32_t run = components_.first_run[c]; run < components_.first_run[c + 1]; ++run) cut_pieces(run);
        }
    }

    void fill(int32_t* out) const {
        const int32_t* begin = components_.run_begin.data();
        for (int32_t run = 0; run < components_.runs(); ++run) {
            const int32_t label = label_[components_.component[run]], first = begin[run], length = begin[run + 1] - first;
            if (label == kCut) {
                std::copy_n(piece_label_.get() + first, length, out + first);
            } else if (first + kShort <= links_.pixels) {
                std::fill_n(out + first, kShort, label);  // what is too much is overwritten by later runs
                if (length > kShort) std::fill_n(out + first + kShort, length - kShort, label);
            } else {
                std::fill_n(out + first, length, label);
            }
        }
    }

  private:
    static constexpr int32_t kUnknown = -1, kCut = -2;
    static constexpr int kShort = 8;

    const Links& links_;
    const Components& components_;
    const int64_t min_size_, max_size_;
    int32_t next_ = 0;                        // the next free label
    std::vector<int32_t> label_;              // new label of each component that is not cut
    std::unique_ptr<int32_t[]> piece_label_;  // new label of each pixel of the cut components
    std::unique_ptr<bool[]> reached_;         // whether a growth has reached the pixel
    std::unique_ptr<int32_t[]> grown_;        // the pixels of the latest growth, in their order
    int32_t count_ = 0;                       // how many

    int32_t adjacent_of_component(size_t c) {
        const int32_t run = components_.first_run[c], first = components_.run_begin[run], end = components_.run_begin[run + 1];
        const int32_t size = components_.size[c];
        // A component of one run grows from left to right, and what it examines last is the pixel above its right end.
        if (size == end - first && size < max_size_ && first >= links_.width) return label_of(end - 1 - links_.width);
        return last_label_examined(grow(first));
    }

    // The pieces of cut components that begin in a run.
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

    // Grows a piece from `start` into grown_. Returns how many neighbours were examined until growth stopped, four for
    // each grown pixel in turn.
    int64_t grow(int32_t start) {
        int32_t* const grown = grown_.get();
        bool* const reached = reached_.get();
        int32_t count = 1;
        reached[start] = true;
        grown[0] = start;
        int64_t examined = 0;
        for (int32_t head = 0; head < count && count < max_size_; ++head) {
            const int32_t p = grown[head];
            for (int direction = 0; direction < 4; ++direction) {
                const int32_t q = links_.has(p, direction) ? p + links_.offset(direction) : p;
                const bool joins = !reached[q];  // written without branches: they would be unpredictable
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
            const int direction = e % 4;
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

}  // namespace

template <typename Label>
void enforce_connectivity(const Label* labels, int height, int width, int64_t min_size, int64_t max_size, int32_t* out) {
    const Links links(labels, height, width);
    const Components components(links);
    Relabelling relabelling(links, components, min_size, max_size);
    relabelling.label_components();
    relabelling.fill(out);
}

template void enforce_connectivity(const uint8_t*, int, int, int64_t, int64_t, int32_t*);
template void enforce_connectivity(const uint16_t*, int, int, int64_t, int64_t, int32_t*);
template void enforce_connectivity(const uint32_t*, int, int, int64_t, int64_t, int32_t*);
template void enforce_connectivity(const uint64_t*, int, int, int64_t, int64_t, int32_t*);

}  // namespace ainet
