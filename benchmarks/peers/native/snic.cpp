// Clusters grow from their seeds, all at once: the unlabelled pixel that is nearest to the centre of a neighbouring
// cluster joins it, and moves its centre. A pixel's distance is taken when it comes to the edge of the cluster.
#include "snic.h"

#include <algorithm>
#include <queue>
#include <vector>

namespace ainet {
namespace {

struct Sums {
    double x = 0, y = 0, l = 0, a = 0, b = 0;
    int32_t pixels = 0;
};

struct Candidate {
    float distance;
    uint32_t order;  // of equal distances the first found comes first
    int32_t pixel, label;

    bool operator<(const Candidate& other) const {  // std::priority_queue has the largest on top
        return distance != other.distance ? distance > other.distance : order > other.order;
    }
};

}  // namespace

void snic(const float* lab, int height, int width, int rows, int columns, double compactness, int32_t* labels) {
    const int32_t clusters = rows * columns;
    const double spatial = compactness * compactness * clusters / (double(height) * width);  // (m / S)^2, S^2 = N / K
    std::fill_n(labels, size_t(height) * width, -1);
    std::vector<Sums> sums(clusters);
    std::priority_queue<Candidate> queue;
    uint32_t found = 0;
    for (int32_t k = 0; k < clusters; ++k) {
        const int32_t y = (2 * int64_t{k / columns} + 1) * height / (2 * rows), x = (2 * int64_t{k % columns} + 1) * width / (2 * columns);
        queue.push({-1, found++, y * width + x, k});  // before all others
    }
    while (!queue.empty()) {
        const Candidate candidate = queue.top();
        queue.pop();
        const int32_t p = candidate.pixel, k = candidate.label;
        if (labels[p] >= 0) continue;
        labels[p] = k;
        const int32_t y = p / width, x = p % width;
        Sums& s = sums[k];
        s.x += x, s.y += y, s.l += lab[3 * p], s.a += lab[3 * p + 1], s.b += lab[3 * p + 2], ++s.pixels;
        const double n = s.pixels, cx = s.x / n, cy = s.y / n, cl = s.l / n, ca = s.a / n, cb = s.b / n;
        const auto push = [&](int32_t qy, int32_t qx) {
            const int32_t q = qy * width + qx;
            if (labels[q] >= 0) return;
            const double dl = lab[3 * q] - cl, da = lab[3 * q + 1] - ca, db = lab[3 * q + 2] - cb, dx = qx - cx, dy = qy - cy;
            queue.push({float(dl * dl + da * da + db * db + spatial * (dx * dx + dy * dy)), found++, q, k});
        };
        if (x > 0) push(y, x - 1);
        if (x + 1 < width) push(y, x + 1);
        if (y > 0) push(y - 1, x);
        if (y + 1 < height) push(y + 1, x);
    }
}

}  // namespace ainet
