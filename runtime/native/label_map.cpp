#include "label_map.h"

#include <algorithm>
#include <utility>

#include "numbers.h"

namespace ainet {

template <typename Label>
std::vector<Label> number_labels(const Label* labels, size_t pixels, int32_t* numbers) {
    Numbers<Label> known(512);
    for (size_t i = 0; i < pixels;) {
        const Label label = labels[i];
        const int32_t number = known.of(label);
        for (; i < pixels && labels[i] == label; ++i) numbers[i] = number;
    }
    return std::move(known.keys);
}

template std::vector<uint8_t> number_labels(const uint8_t*, size_t, int32_t*);
template std::vector<uint16_t> number_labels(const uint16_t*, size_t, int32_t*);
template std::vector<uint32_t> number_labels(const uint32_t*, size_t, int32_t*);
template std::vector<uint64_t> number_labels(const uint64_t*, size_t, int32_t*);

RegionTable region_table(const int32_t* numbers, const uint8_t* rgb, int height, int width, int regions) {
    RegionTable table{std::vector<int64_t>(size_t(regions) * kRegionColumns), std::vector<int32_t>(size_t(regions) * 4)};
    for (int i = 0; i < regions; ++i) {
        int32_t* box = &table.boxes[4 * size_t(i)];
        box[0] = height;
        box[1] = width;
    }
    for (int y = 0; y < height; ++y) {
        const int32_t* row = numbers + size_t(y) * width;
        for (int x = 0; x < width;) {
            const int32_t number = row[x];
            const int first = x;
            while (x < width && row[x] == number) ++x;
            if (number < 0 || number >= regions) return {};
            int64_t* sums = &table.sums[size_t(number) * kRegionColumns];
            const int64_t length = x - first;
            sums[0] += length;
            sums[1] += length * y;
            sums[2] += length * (first + x - 1) / 2;
            int32_t* box = &table.boxes[4 * size_t(number)];
            box[0] = std::min(box[0], y);
            box[1] = std::min(box[1], first);
            box[2] = y + 1;
            box[3] = std::max(box[3], x);
            if (rgb == nullptr) continue;
            const uint8_t* colours = rgb + 3 * (size_t(y) * width + first);
            int64_t red = 0, green = 0, blue = 0;
            for (int64_t i = 0; i < length; ++i) {
                red += colours[3 * i];
                green += colours[3 * i + 1];
                blue += colours[3 * i + 2];
            }
            sums[3] += red;
            sums[4] += green;
            sums[5] += blue;
        }
    }
    return table;
}

}  // namespace ainet
