// The entry points of CUDA's driver API that cuda-core, cuda-bindings and this project call, over an emulated machine with
// two GPUs. Libraries find them by cuGetProcAddress; one that is missing here is missing for them.
#include "warp.h"

#include "memory.h"
#include "streams.h"

#include <chrono>
#include <map>
#include <mutex>
#include <string>

#include "kernels.cu"

using namespace emulator;

namespace {

constexpr int kDevices = 2, kVersion = 13000;
constexpr uint64_t kFewThreads = 1 << 15;  // a larger grid runs its threads one after the other

struct Kernel {
    const char* name;
    size_t size;  // of its structure of arguments
    bool team;
    std::function<void(const void*, int32_t)> run;
};

struct Machine {
    std::recursive_mutex mutex;
    Memory memory;
    Streams streams;
    Context primary[kDevices] = {{0}, {1}};
    std::map<UserObject*, std::shared_ptr<UserObject>> objects;  // that no graph holds yet
    std::map<std::string, int64_t> calls;
    int launches_until_failure = -1;
    bool initialised = false, lost = false;
};

Machine& machine() {
    static Machine* const made = new Machine;  // Python may still call when the process ends
    return *made;
}

thread_local Context* current_context = nullptr;
thread_local std::vector<Context*> previous_contexts;

const std::vector<Kernel>& kernels() {
    static const std::vector<Kernel> all = {
#define ROW(name, Arguments, team)                   \
    {"ainet_" #name, sizeof(ainet::device::Arguments), team, \
     [](const void* a, int32_t count) { ainet_##name(*static_cast<const ainet::device::Arguments*>(a), count); }},
#define SINGLE(name, Arguments) ROW(name, Arguments, false)
#define TEAM(name, Arguments) ROW(name, Arguments, true)
        AINET_KERNELS(SINGLE) AINET_TEAM_KERNELS(TEAM)
#undef ROW
#undef SINGLE
#undef TEAM
    };
    return all;
}

double milliseconds() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Each entry point counts its calls, holds the machine, and fails where the GPU is lost.
#define ENTRY(name)                                             \
    const std::lock_guard<std::recursive_mutex> held(machine().mutex); \
    ++machine().calls[name];                                    \
    if (machine().lost) return kIllegalAddress;

#define REQUIRE(condition, status) \
    if (!(condition)) return status;

#define OUTSIDE_CAPTURE() \
    if (const Status refused = machine().streams.forbid_in_capture()) return refused;

Status start(Stream& stream, Step step) {
    REQUIRE(!stream.invalidated, kCaptureInvalidated)
    Streams::add(stream, std::move(step));
    return kSuccess;
}

}  // namespace

// --- the machine, devices and contexts ---

static Status cuInit(unsigned) {
    ENTRY("cuInit")
    machine().initialised = true;
    return kSuccess;
}
static Status cuDriverGetVersion(int* version) {
    ENTRY("cuDriverGetVersion")
    *version = kVersion;
    return kSuccess;
}
static Status cuGetErrorName(Status status, const char** text) { return (*text = name_of(status)) ? kSuccess : kInvalidValue; }
static Status cuDeviceGetCount(int* count) {
    ENTRY("cuDeviceGetCount")
    REQUIRE(machine().initialised, kNotInitialised)
    *count = kDevices;
    return kSuccess;
}
static Status cuDeviceGet(int* device, int ordinal) {
    ENTRY("cuDeviceGet")
    REQUIRE(ordinal >= 0 && ordinal < kDevices, kInvalidDevice)
    *device = ordinal;
    return kSuccess;
}
static Status cuDeviceGetName(char* name, int size, int device) {
    ENTRY("cuDeviceGetName")
    std::snprintf(name, size, "Emulated GPU %d", device);
    return kSuccess;
}
static Status cuDeviceGetAttribute(int* value, int attribute, int device) {
    ENTRY("cuDeviceGetAttribute")
    constexpr int kMajor = 75, kMinor = 76, kUnifiedAddressing = 41;
    *value = attribute == kMajor ? (device == 0 ? 9 : 12) : attribute == kMinor ? device : attribute == kUnifiedAddressing;
    return kSuccess;
}
static Status cuDevicePrimaryCtxRetain(Context** context, int device) {
    ENTRY("cuDevicePrimaryCtxRetain")
    *context = &machine().primary[device];
    return kSuccess;
}
static Status cuDevicePrimaryCtxRelease(int) { return kSuccess; }
static Status cuCtxCreate(Context** context, void*, unsigned, int device) {
    ENTRY("cuCtxCreate")
    *context = current_context = new Context{device};
    return kSuccess;
}
static Status cuCtxSetCurrent(Context* context) {
    ENTRY("cuCtxSetCurrent")
    current_context = context;
    return kSuccess;
}
static Status cuCtxPushCurrent(Context* context) {
    ENTRY("cuCtxPushCurrent")
    previous_contexts.push_back(current_context);
    current_context = context;
    return kSuccess;
}
static Status cuCtxPopCurrent(Context** context) {
    ENTRY("cuCtxPopCurrent")
    REQUIRE(!previous_contexts.empty(), kInvalidContext)
    if (context) *context = current_context;
    current_context = previous_contexts.back();
    previous_contexts.pop_back();
    return kSuccess;
}
static Status cuCtxGetCurrent(Context** context) {
    ENTRY("cuCtxGetCurrent")
    *context = current_context;
    return kSuccess;
}
static Status cuCtxGetDevice(int* device) {
    ENTRY("cuCtxGetDevice")
    REQUIRE(current_context, kInvalidContext)
    *device = current_context->device;
    return kSuccess;
}
static Status cuStreamGetCtx(void*, Context** context) { return cuCtxGetCurrent(context); }
static Status cuCtxGetStreamPriorityRange(int* least, int* greatest) {
    ENTRY("cuCtxGetStreamPriorityRange")
    *least = *greatest = 0;
    return kSuccess;
}

// --- memory ---

static Status cuMemAlloc(uintptr_t* address, size_t size) {
    ENTRY("cuMemAlloc")
    OUTSIDE_CAPTURE()
    REQUIRE(current_context, kInvalidContext)
    return machine().memory.allocate(size, false, current_context, *address);
}
static Status cuMemFree(uintptr_t address) {
    ENTRY("cuMemFree")
    OUTSIDE_CAPTURE()
    REQUIRE(current_context, kInvalidContext)
    machine().streams.run_all();
    return machine().memory.release(address, false);
}
static Status cuMemAllocHost(uintptr_t* address, size_t size) {
    ENTRY("cuMemAllocHost")
    OUTSIDE_CAPTURE()
    REQUIRE(current_context, kInvalidContext)
    return machine().memory.allocate(size, true, current_context, *address);
}
static Status cuMemFreeHost(uintptr_t address) {
    ENTRY("cuMemFreeHost")
    OUTSIDE_CAPTURE()
    REQUIRE(current_context, kInvalidContext)
    machine().streams.run_all();
    return machine().memory.release(address, true);
}
static Status cuMemGetInfo(size_t* free, size_t* total) {
    ENTRY("cuMemGetInfo")
    *total = machine().memory.capacity;
    *free = *total - machine().memory.used();
    return kSuccess;
}
static Status cuMemcpyAsync(uintptr_t target, uintptr_t source, size_t size, void* handle) {
    ENTRY("cuMemcpyAsync")
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream, kInvalidHandle)
    REQUIRE(size > 0 && machine().memory.holds(target, size) && machine().memory.holds(source, size), kInvalidValue)
    return start(*stream, [=] { std::memcpy(reinterpret_cast<void*>(target), reinterpret_cast<const void*>(source), size); });
}
static Status cuPointerGetAttribute(void* value, int attribute, uintptr_t address) {
    ENTRY("cuPointerGetAttribute")
    constexpr int kContext = 1, kMemoryType = 2, kIsManaged = 8, kOrdinal = 9;
    const Allocation* const found = machine().memory.find(address);
    REQUIRE(found, kInvalidValue)
    switch (attribute) {
        case kContext: *static_cast<Context**>(value) = found->owner; return kSuccess;
        case kMemoryType: *static_cast<unsigned*>(value) = found->pinned ? 1 : 2; return kSuccess;
        case kIsManaged: *static_cast<int*>(value) = 0; return kSuccess;
        case kOrdinal: *static_cast<int*>(value) = found->owner->device; return kSuccess;
        default: return kInvalidValue;
    }
}
static Status cuPointerGetAttributes(unsigned count, const int* attributes, void** values, uintptr_t address) {
    for (unsigned i = 0; i < count; ++i) cuPointerGetAttribute(values[i], attributes[i], address);  // one that is unknown stays as it is
    return kSuccess;
}

// --- streams and events ---

static Status cuStreamCreateWithPriority(Stream** stream, unsigned, int) {
    ENTRY("cuStreamCreateWithPriority")
    REQUIRE(current_context, kInvalidContext)
    *stream = machine().streams.make();
    return kSuccess;
}
static Status cuStreamDestroy(Stream* stream) {
    ENTRY("cuStreamDestroy")
    machine().streams.destroy(stream);
    return kSuccess;
}
static Status cuStreamSynchronize(void* handle) {
    ENTRY("cuStreamSynchronize")
    OUTSIDE_CAPTURE()
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream, kInvalidHandle)
    Streams::run(*stream);
    return kSuccess;
}
static Status cuStreamWaitEvent(void* handle, Event* event, unsigned) {
    ENTRY("cuStreamWaitEvent")
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream && !stream->captured, kCaptureUnsupported)
    if (event->last) Streams::add(*stream, [record = event->last] { Streams::run_until(*record); });
    return kSuccess;
}
static Status cuEventCreate(Event** event, unsigned) {
    ENTRY("cuEventCreate")
    *event = new Event;
    return kSuccess;
}
static Status cuEventDestroy(Event* event) {
    ENTRY("cuEventDestroy")
    machine().streams.run_all();  // as work that records it may not have run yet
    delete event;
    return kSuccess;
}
static Status cuEventRecordWithFlags(Event* event, void* handle, unsigned flags) {
    ENTRY("cuEventRecord")
    constexpr unsigned kExternal = 1;
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream, kInvalidHandle)
    REQUIRE((flags == kExternal) == (stream->captured != nullptr), kCaptureUnsupported)
    const auto finish = [](Record& record) {
        record.done = true;
        record.milliseconds = milliseconds();
    };
    if (stream->captured) {
        return start(*stream, [=] {
            event->last = std::make_shared<Record>(Record{stream});
            finish(*event->last);
        });
    }
    event->last = std::make_shared<Record>(Record{stream});
    return start(*stream, [finish, record = event->last] { finish(*record); });
}
static Status cuEventRecord(Event* event, void* handle) { return cuEventRecordWithFlags(event, handle, 0); }
static Status cuEventElapsedTime(float* elapsed, Event* first, Event* second) {
    ENTRY("cuEventElapsedTime")
    REQUIRE(first->last && second->last, kInvalidHandle)
    REQUIRE(first->last->done && second->last->done, kNotReady)
    *elapsed = static_cast<float>(second->last->milliseconds - first->last->milliseconds);
    return kSuccess;
}

// --- graphs ---

static Status cuStreamBeginCapture(void* handle, int mode) {
    ENTRY("cuStreamBeginCapture")
    constexpr int kRelaxed = 2;
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream && !stream->captured, kInvalidHandle)
    stream->captured = std::make_unique<Graph>();
    stream->capturing_thread = std::this_thread::get_id();
    stream->guarded = mode != kRelaxed;
    return kSuccess;
}
static Status cuStreamGetCaptureInfo(void* handle, int* status, uint64_t*, Graph** graph, void*, void*, size_t*) {
    ENTRY("cuStreamGetCaptureInfo")
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream, kInvalidHandle)
    if (status) *status = stream->invalidated ? 2 : stream->captured ? 1 : 0;
    if (graph) *graph = stream->captured.get();
    return kSuccess;
}
static Status cuStreamEndCapture(void* handle, Graph** graph) {
    ENTRY("cuStreamEndCapture")
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream && stream->captured, kInvalidValue)
    Graph* const made = stream->captured.release();
    const bool invalidated = stream->invalidated;
    stream->invalidated = false;
    if (graph) *graph = invalidated ? nullptr : made;
    return invalidated ? kCaptureInvalidated : kSuccess;
}
static Status cuUserObjectCreate(UserObject** object, void* content, void (*destroy)(void*), unsigned, unsigned) {
    ENTRY("cuUserObjectCreate")
    *object = new UserObject{content, destroy};
    machine().objects.emplace(*object, *object);
    return kSuccess;
}
static Status cuUserObjectRelease(UserObject* object, unsigned) {
    ENTRY("cuUserObjectRelease")
    machine().objects.erase(object);
    return kSuccess;
}
static Status cuGraphRetainUserObject(Graph* graph, UserObject* object, unsigned, unsigned) {
    ENTRY("cuGraphRetainUserObject")
    graph->objects.push_back(machine().objects.at(object));
    machine().objects.erase(object);  // the flag MOVE, which is the only use here
    return kSuccess;
}
static Status cuGraphReleaseUserObject(Graph* graph, UserObject* object, unsigned) {
    ENTRY("cuGraphReleaseUserObject")
    const auto is_it = [object](const std::shared_ptr<UserObject>& each) { return each.get() == object; };
    graph->objects.erase(std::remove_if(graph->objects.begin(), graph->objects.end(), is_it), graph->objects.end());
    return kSuccess;
}
static Status cuGraphInstantiateWithParams(Graph** executable, Graph* graph, void* parameters) {
    ENTRY("cuGraphInstantiateWithParams")
    std::memset(static_cast<char*>(parameters) + 24, 0, sizeof(int));  // its result: success
    *executable = new Graph(*graph);
    return kSuccess;
}
static Status cuGraphDestroy(Graph* graph) {
    ENTRY("cuGraphDestroy")
    delete graph;
    return kSuccess;
}
static Status cuGraphExecDestroy(Graph* executable) {
    ENTRY("cuGraphExecDestroy")
    delete executable;
    return kSuccess;
}
static Status cuGraphLaunch(Graph* executable, void* handle) {
    ENTRY("cuGraphLaunch")
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream && !stream->captured, kInvalidHandle)
    return start(*stream, [steps = executable->steps] {
        for (const Step& step : steps) step();
    });
}

// --- kernels ---

static Status cuLibraryLoadData(void** library, const void* code, void*, void*, unsigned, void*, void*, unsigned) {
    ENTRY("cuLibraryLoadData")
    constexpr unsigned kFatBinary = 0xba55ed50, kElf = 0x464c457f;
    unsigned start_of_file;
    std::memcpy(&start_of_file, code, sizeof start_of_file);
    REQUIRE(start_of_file == kFatBinary || start_of_file == kElf, kInvalidImage)
    *library = &machine();
    return kSuccess;
}
static Status cuLibraryUnload(void*) { return kSuccess; }
static Status cuLibraryGetKernel(const Kernel** kernel, void*, const char* name) {
    ENTRY("cuLibraryGetKernel")
    for (const Kernel& each : kernels()) {
        if (std::strcmp(each.name, name) == 0) {
            *kernel = &each;
            return kSuccess;
        }
    }
    return kNotFound;
}
static Status cuLaunchKernel(const Kernel* kernel, unsigned columns, unsigned rows, unsigned layers, unsigned threads, unsigned y, unsigned z,
                             unsigned shared, void* handle, void** parameters, void** extra) {
    ENTRY("cuLaunchKernel")
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream, kInvalidHandle)
    REQUIRE(columns > 0 && columns <= 0x7fffffff && rows > 0 && rows <= 65535 && layers == 1, kInvalidValue)
    REQUIRE(threads > 0 && threads <= 1024 && threads % kWarp == 0 && y == 1 && z == 1 && !shared && !extra, kInvalidValue)
    REQUIRE(!kernel->team || threads == kWarp, kInvalidValue)
    if (machine().launches_until_failure >= 0 && machine().launches_until_failure-- == 0) return kLaunchFailed;
    const char* const first = static_cast<const char*>(parameters[0]);
    const std::vector<char> arguments(first, first + kernel->size);
    const int32_t count = *static_cast<const int32_t*>(parameters[1]);
    return start(*stream, [=] {
        const bool as_fibers = kernel->team || uint64_t{columns} * rows * threads <= kFewThreads;
        run_grid([=, &arguments] { kernel->run(arguments.data(), count); }, columns, rows, threads, as_fibers);
    });
}

static Status cuLaunchHostFunc(void* handle, void (*function)(void*), void* argument) {
    ENTRY("cuLaunchHostFunc")
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream, kInvalidHandle)
    return start(*stream, [=] { function(argument); });
}

// --- how libraries find all this ---

#define FUNCTIONS(X)                                                                                                               \
    X(cuInit) X(cuDriverGetVersion) X(cuGetErrorName) X(cuDeviceGetCount) X(cuDeviceGet) X(cuDeviceGetName) X(cuDeviceGetAttribute) \
    X(cuDevicePrimaryCtxRetain) X(cuDevicePrimaryCtxRelease) X(cuCtxCreate) X(cuCtxSetCurrent) X(cuCtxGetCurrent) X(cuCtxGetDevice) X(cuCtxPushCurrent) X(cuCtxPopCurrent) \
    X(cuCtxGetStreamPriorityRange) X(cuMemAlloc) X(cuMemFree) X(cuMemAllocHost) X(cuMemFreeHost) X(cuMemGetInfo) X(cuMemcpyAsync)   \
    X(cuPointerGetAttribute) X(cuPointerGetAttributes) X(cuStreamCreateWithPriority) X(cuStreamDestroy) X(cuStreamSynchronize)      \
    X(cuStreamWaitEvent) X(cuStreamGetCtx) X(cuEventCreate) X(cuEventDestroy) X(cuEventRecord) X(cuEventRecordWithFlags)            \
    X(cuEventElapsedTime) X(cuStreamBeginCapture) X(cuStreamGetCaptureInfo) X(cuStreamEndCapture) X(cuGraphInstantiateWithParams)   \
    X(cuGraphDestroy) X(cuGraphExecDestroy) X(cuGraphLaunch) X(cuLibraryLoadData) X(cuLibraryUnload) X(cuLibraryGetKernel)          \
    X(cuLaunchKernel) X(cuLaunchHostFunc) X(cuUserObjectCreate) X(cuUserObjectRelease) X(cuGraphRetainUserObject) \
    X(cuGraphReleaseUserObject)

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT Status cuGetProcAddress_v2(const char* name, void** function, int, uint64_t, int* status) {
    static const std::map<std::string, void*> all = {
#define ROW(name) {#name, reinterpret_cast<void*>(&name)},
        FUNCTIONS(ROW)
#undef ROW
        {"cuGetProcAddress", reinterpret_cast<void*>(&cuGetProcAddress_v2)},
    };
    const auto found = all.find(name);
    *function = found == all.end() ? nullptr : found->second;
    if (status) *status = *function ? 0 : 1;
    return *function ? kSuccess : kNotFound;
}

// --- for the tests alone ---

EXPORT void emulator_set_capacity(uint64_t bytes) { machine().memory.capacity = bytes; }
EXPORT uint64_t emulator_used() { return machine().memory.used(); }
EXPORT uint64_t emulator_allocations() { return machine().memory.count(); }  // of device and pinned memory
EXPORT uint64_t emulator_streams() { return machine().streams.count(); }
EXPORT int64_t emulator_calls(const char* entry_point) { return machine().calls[entry_point]; }
EXPORT void emulator_fail_launch(int after) { machine().launches_until_failure = after; }
EXPORT void emulator_lose(bool lost) { machine().lost = lost; }
EXPORT void emulator_seed(unsigned seed) { random_numbers.seed(seed); }
