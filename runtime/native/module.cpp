// Python bindings of the native pre- and post-processing. Arguments are checked in postprocess.py; here the images of a
// batch are spread over threads, and other Python threads run meanwhile.
#include <nanobind/nanobind.h>

#include <memory>
#include <vector>

#include "arrays.h"
#include "assign.h"
#include "connectivity.h"
#include "label_map_module.h"
#include "merging_module.h"
#include "normalise.h"
#include "parallel.h"
#include "resize.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using ainet::Input;
using ainet::Output;
template <typename Score>
using Scores = Input<Score, -1, ainet::kNeighbours, -1, -1>;  // (N, 9, h, w)
using Ids = Input<int32_t, -1, -1, -1>;                       // (N, h, w)
using Labels = Output<int32_t>;                               // (N, H, W)

// A new array of that shape, whose first axis counts images: fill(i, image) writes image i, on some thread.
template <typename T, typename Fill>
Output<T> make_batch(const std::vector<size_t>& shape, const Fill& fill) {
    size_t size = 1;
    for (size_t n : shape) size *= n;
    std::unique_ptr<T[]> data(new T[size]);
    {
        const nb::gil_scoped_release release;
        const size_t image = size / shape[0];
        ainet::parallel_for(static_cast<int64_t>(shape[0]), [&](int64_t i) { fill(i, data.get() + i * image); });
    }
    const nb::capsule owner(data.get(), [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return Output<T>(data.release(), shape.size(), shape.data(), owner);
}

template <typename Label>
Labels enforce_connectivity(const Input<Label, -1, -1, -1>& labels, int64_t min_size, int64_t max_size) {
    const size_t height = labels.shape(1), width = labels.shape(2);
    return make_batch<int32_t>({labels.shape(0), height, width}, [&](int64_t i, int32_t* out) {
        ainet::enforce_connectivity(labels.data() + i * height * width, height, width, min_size, max_size, out);
    });
}

// A function that writes the cell ids of image i, height x width, from either kind of network output.
template <typename Score>
auto id_writer(const Scores<Score>& scores, int height, int width, bool public_rules) {
    return [&scores, height, width, public_rules](int64_t i, int32_t* out) {
        const size_t h = scores.shape(2), w = scores.shape(3);
        ainet::assign(scores.data() + i * ainet::kNeighbours * h * w, h, w, height, width, public_rules, out);
    };
}

auto id_writer(const Ids& ids, int height, int width, bool public_rules) {
    return [&ids, height, width, public_rules](int64_t i, int32_t* out) {
        const size_t h = ids.shape(1), w = ids.shape(2);
        ainet::resize_nearest(ids.data() + i * h * w, h, w, height, width, public_rules, out);
    };
}

template <typename WriteIds>
Labels make_labels(size_t images, size_t height, size_t width, int64_t min_size, int64_t max_size, const WriteIds& write_ids) {
    return make_batch<int32_t>({images, height, width}, [&](int64_t i, int32_t* out) {
        const std::unique_ptr<int32_t[]> ids(new int32_t[height * width]);
        write_ids(i, ids.get());
        ainet::enforce_connectivity(reinterpret_cast<const uint32_t*>(ids.get()), height, width, min_size, max_size, out);
    });
}

template <typename Label>
void define_for_labels(nb::module_& m) {
    m.def("enforce_connectivity", &enforce_connectivity<Label>, "labels"_a, "min_size"_a, "max_size"_a);
}

template <typename Score>
void define_for_scores(nb::module_& m) {
    m.def("assign", [](const Scores<Score>& scores, int height, int width, bool public_rules) {
        return make_batch<int32_t>({scores.shape(0), size_t(height), size_t(width)}, id_writer(scores, height, width, public_rules));
    }, "scores"_a, "height"_a, "width"_a, "public"_a);

    m.def("scores_to_labels", [](const Scores<Score>& scores, int height, int width, int64_t min_size, int64_t max_size,
                                 bool public_rules) {
        return make_labels(scores.shape(0), height, width, min_size, max_size, id_writer(scores, height, width, public_rules));
    }, "scores"_a, "height"_a, "width"_a, "min_size"_a, "max_size"_a, "public"_a);
}

}  // namespace

NB_MODULE(_native, m) {
    m.doc() = "Native pre- and post-processing. Called through postprocess.py, which checks the arguments.";

    define_for_labels<uint8_t>(m);
    define_for_labels<uint16_t>(m);
    define_for_labels<uint32_t>(m);
    define_for_labels<uint64_t>(m);

    define_for_scores<float>(m);
    define_for_scores<uint16_t>(m);

    m.def("resize_nearest", [](const Ids& ids, int height, int width, bool public_rules) {
        return make_batch<int32_t>({ids.shape(0), size_t(height), size_t(width)}, id_writer(ids, height, width, public_rules));
    }, "ids"_a, "height"_a, "width"_a, "public"_a);

    m.def("ids_to_labels", [](const Ids& ids, int height, int width, int64_t min_size, int64_t max_size, bool public_rules) {
        return make_labels(ids.shape(0), height, width, min_size, max_size, id_writer(ids, height, width, public_rules));
    }, "ids"_a, "height"_a, "width"_a, "min_size"_a, "max_size"_a, "public"_a);

    m.def("normalise", [](const Input<uint8_t, -1, -1, -1, 3>& images, const Input<float, 3>& mean) {
        const size_t pixels = images.shape(1) * images.shape(2);
        return make_batch<float>({images.shape(0), 3, images.shape(1), images.shape(2)}, [&](int64_t i, float* out) {
            ainet::normalise(images.data() + i * 3 * pixels, pixels, mean.data(), out);
        });
    }, "images"_a, "mean"_a);

    ainet::define_label_map(m);
    ainet::define_merging(m);
}
