// Python bindings of the native pre- and post-processing. Arguments are checked in postprocess.py; here a batch is
// spread over threads, and the interpreter is free meanwhile.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <memory>

#include "assign.h"
#include "connectivity.h"
#include "normalise.h"
#include "parallel.h"
#include "resize.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <typename T, typename Shape>
using Input = nb::ndarray<const T, Shape, nb::c_contig, nb::device::cpu>;
template <typename T>
using Maps = Input<T, nb::shape<-1, -1, -1>>;               // (N, H, W)
using Scores = Input<float, nb::shape<-1, 9, -1, -1>>;      // (N, 9, h, w)
using Images = Input<uint8_t, nb::shape<-1, -1, -1, 3>>;    // (N, H, W, 3)
using Mean = Input<float, nb::shape<3>>;

// A new array of `images` items of the given shape; fill(i, item) writes item i, in parallel, without the interpreter.
template <typename T, typename Fill>
nb::ndarray<nb::numpy, T> make_batch(size_t images, std::initializer_list<size_t> item_shape, const Fill& fill) {
    std::vector<size_t> shape{images};
    int64_t item = 1;
    for (size_t n : item_shape) {
        shape.push_back(n);
        item *= static_cast<int64_t>(n);
    }
    std::unique_ptr<T[]> data(new T[images * item]);
    {
        const nb::gil_scoped_release release;
        ainet::parallel_for(static_cast<int64_t>(images), [&](int64_t i) { fill(i, data.get() + i * item); });
    }
    const nb::capsule owner(data.get(), [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return nb::ndarray<nb::numpy, T>(data.release(), shape.size(), shape.data(), owner);
}

template <typename Label>
nb::ndarray<nb::numpy, int32_t> enforce_connectivity(const Maps<Label>& labels, int64_t min_size, int64_t max_size) {
    const size_t height = labels.shape(1), width = labels.shape(2);
    return make_batch<int32_t>(labels.shape(0), {height, width}, [&](int64_t i, int32_t* out) {
        ainet::enforce_connectivity(labels.data() + i * height * width, height, width, min_size, max_size, out);
    });
}

// Functions that write item i of a batch of cell ids at height x width, from either kind of input.
auto id_writer(const Scores& scores, int height, int width, bool sum_ties) {
    const int h = scores.shape(2), w = scores.shape(3);
    return [=, data = scores.data()](int64_t i, int32_t* out) {
        ainet::assign(data + i * ainet::kNeighbours * h * w, h, w, height, width, sum_ties, out);
    };
}

auto id_writer(const Maps<int32_t>& ids, int height, int width) {
    const int h = ids.shape(1), w = ids.shape(2);
    return [=, data = ids.data()](int64_t i, int32_t* out) { ainet::resize_nearest(data + i * h * w, h, w, height, width, out); };
}

template <typename WriteIds>
nb::ndarray<nb::numpy, int32_t> make_labels(size_t images, int height, int width, int64_t min_size, int64_t max_size,
                                            const WriteIds& write_ids) {
    const size_t pixels = static_cast<size_t>(height) * width;
    return make_batch<int32_t>(images, {size_t(height), size_t(width)}, [&](int64_t i, int32_t* out) {
        const std::unique_ptr<int32_t[]> ids(new int32_t[pixels]);
        write_ids(i, ids.get());
        ainet::enforce_connectivity(reinterpret_cast<const uint32_t*>(ids.get()), height, width, min_size, max_size, out);
    });
}

}  // namespace

NB_MODULE(_native, m) {
    m.doc() = "Native pre- and post-processing. Called through postprocess.py, which checks the arguments.";

    m.def("enforce_connectivity", &enforce_connectivity<uint8_t>, "labels"_a, "min_size"_a, "max_size"_a);
    m.def("enforce_connectivity", &enforce_connectivity<uint16_t>, "labels"_a, "min_size"_a, "max_size"_a);
    m.def("enforce_connectivity", &enforce_connectivity<uint32_t>, "labels"_a, "min_size"_a, "max_size"_a);
    m.def("enforce_connectivity", &enforce_connectivity<uint64_t>, "labels"_a, "min_size"_a, "max_size"_a);

    m.def("assign", [](const Scores& scores, int height, int width, bool sum_ties) {
        return make_batch<int32_t>(scores.shape(0), {size_t(height), size_t(width)}, id_writer(scores, height, width, sum_ties));
    }, "scores"_a, "height"_a, "width"_a, "sum_ties"_a);

    m.def("resize_nearest", [](const Maps<int32_t>& ids, int height, int width) {
        return make_batch<int32_t>(ids.shape(0), {size_t(height), size_t(width)}, id_writer(ids, height, width));
    }, "ids"_a, "height"_a, "width"_a);

    m.def("scores_to_labels", [](const Scores& scores, int height, int width, int64_t min_size, int64_t max_size, bool sum_ties) {
        return make_labels(scores.shape(0), height, width, min_size, max_size, id_writer(scores, height, width, sum_ties));
    }, "scores"_a, "height"_a, "width"_a, "min_size"_a, "max_size"_a, "sum_ties"_a);

    m.def("ids_to_labels", [](const Maps<int32_t>& ids, int height, int width, int64_t min_size, int64_t max_size) {
        return make_labels(ids.shape(0), height, width, min_size, max_size, id_writer(ids, height, width));
    }, "ids"_a, "height"_a, "width"_a, "min_size"_a, "max_size"_a);

    m.def("normalise", [](const Images& images, const Mean& mean) {
        const size_t height = images.shape(1), width = images.shape(2);
        const int64_t pixels = static_cast<int64_t>(height) * width;
        return make_batch<float>(images.shape(0), {3, height, width}, [&](int64_t i, float* out) {
            ainet::normalise(images.data() + i * 3 * pixels, pixels, mean.data(), out);
        });
    }, "images"_a, "mean"_a);
}
