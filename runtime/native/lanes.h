// Four pixels of a row of scores as one vector of the compiler, which knows how to compute with it on every machine; and the
// association of each with its nine cells. Everything is in single precision and in a fixed order, so that it is the same everywhere.
#pragma once

#include <cstdint>
#include <cstring>

namespace ainet {

constexpr int kCellSize = 16;
constexpr int kNeighbours = 9;

constexpr int kLanes = 4;
using Floats = float __attribute__((vector_size(kLanes * sizeof(float))));
using Ints = int32_t __attribute__((vector_size(kLanes * sizeof(int32_t))));
using Shorts = int16_t __attribute__((vector_size(kLanes * sizeof(int16_t))));

inline Floats load(const float* scores) {
    Floats vector;
    std::memcpy(&vector, scores, sizeof vector);
    return vector;
}

inline float load_one(const float* score) { return *score; }

// From halves, given as their bits; infinity becomes 65536, and NaN more.
inline float load_one(const uint16_t* half) {
    const int32_t bits = (*half & 0x7fff) << 13;
    float magnitude;
    std::memcpy(&magnitude, &bits, sizeof bits);
    return (*half & 0x8000 ? -magnitude : magnitude) * 0x1p112f;
}

inline Floats load(const uint16_t* halves) {
    Shorts vector;
    std::memcpy(&vector, halves, sizeof vector);
    const Ints bits = __builtin_convertvector(vector, Ints);
    const Floats magnitude = reinterpret_cast<Floats>((bits & 0x7fff) << 13) * 0x1p112f;
    return bits < 0 ? -magnitude : magnitude;
}

constexpr float kIntegers = 12582912;  // 1.5 * 2^23: beside it there is no room for a fraction

inline Floats larger(Floats a, Floats b) { return a > b ? a : b; }

// The largest of the nine scores, which lie a plane apart.
template <typename Score>
inline Floats best_score(const Score* scores, int64_t plane) {
    Floats best = load(scores);
    for (int n = 1; n < kNeighbours; ++n) best = larger(load(scores + n * plane), best);
    return best;
}

// Which of the ids belongs to the best score; of equals the first.
template <typename Score>
inline Ints best_id(const Score* scores, int64_t plane, Floats best, const Ints (&ids)[kNeighbours]) {
    Ints id = ids[0];
    for (int n = kNeighbours - 1; n >= 0; --n) id = load(scores + n * plane) == best ? ids[n] : id;
    return id;
}

// e^x for x <= 0, to 3e-6 of it; from -60 down e^-60, as numbers too small to be normalised are slow. The power of two is put into the
// exponent, the rest is a Taylor polynomial.
inline Floats exponential(Floats x) {
    const Floats power = larger(x, Floats{} - 60.0f) * 1.44269504f;
    const Floats shifted = power + kIntegers, t = power - (shifted - kIntegers);
    const Floats fraction = 1.0f + t * (0.69314718f + t * (0.24022651f + t * (0.05550411f + t * (0.00961813f + t * 0.00133336f))));
    return reinterpret_cast<Floats>(reinterpret_cast<Ints>(fraction) + (reinterpret_cast<Ints>(shifted) << 23));
}

// The association with each of the nine cells: the scores themselves, or of logits the softmax.
template <typename Score>
inline void associate(const Score* scores, int64_t plane, bool logits, Floats (&association)[kNeighbours]) {
    if (!logits) {
        for (int n = 0; n < kNeighbours; ++n) association[n] = load(scores + n * plane);
        return;
    }
    const Floats best = best_score(scores, plane);
    Floats sum{};
    for (int n = 0; n < kNeighbours; ++n) {
        association[n] = exponential(load(scores + n * plane) - best);
        sum += association[n];
    }
    const Floats scale = 1.0f / sum;
    for (Floats& value : association) value *= scale;
}

}  // namespace ainet
