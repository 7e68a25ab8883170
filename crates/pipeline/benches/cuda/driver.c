// A stand-in for libcuda.so.1: one GPU whose memory is the host's, whose copies are real and whose kernels do nothing.
// It has 80 GiB, or $STAND_IN_MEMORY bytes. It counts what is asked of it, in the file $STAND_IN_LOG.PID: one 64-bit
// integer for each entry of `Count`. What is loaded as PTX lies in $STAND_IN_LOG.PID.N.ptx.
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// count.py has their names.
enum Count {
  LAUNCH, TO_DEVICE, TO_HOST, ON_DEVICE, BYTES_TO_DEVICE, BYTES_TO_HOST, ALLOCATION, FREE, MODULE, WAIT_FOR_STREAM,
  WAIT_FOR_EVENT, EVENT_RECORD, STREAM_WAIT, GRAPH_LAUNCH, HOST_ALLOCATION, MEMORY_SET, MOST_ALLOCATED, COUNTS
};
enum { SUCCESS = 0, OUT_OF_MEMORY = 2, NOT_SUPPORTED = 801 };
typedef int Result;
typedef uint64_t Address;

static atomic_llong unlogged[COUNTS];
static atomic_llong *counts = unlogged;
static char context[64];
static size_t memory = 80ull << 30;
static atomic_size_t allocated;

static void count(enum Count what) { counts[what]++; }

__attribute__((constructor)) static void open_log(void) {
  const char *log = getenv("STAND_IN_LOG"), *limit = getenv("STAND_IN_MEMORY");
  if (limit) memory = strtoull(limit, 0, 10);
  char path[4096];
  if (!log || snprintf(path, sizeof path, "%s.%d", log, getpid()) >= (int)sizeof path) return;
  int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (file < 0 || ftruncate(file, sizeof unlogged) != 0) return;
  void *shared = mmap(0, sizeof unlogged, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (shared != MAP_FAILED) counts = shared;
}

// The device.

Result cuInit(unsigned flags) { return SUCCESS; }
Result cuDriverGetVersion(int *version) { *version = 12090; return SUCCESS; }
Result cuDeviceGetCount(int *number) { *number = 1; return SUCCESS; }
Result cuDeviceGet(int *device, int ordinal) { *device = ordinal; return SUCCESS; }
Result cuDeviceGetName(char *name, int length, int device) { snprintf(name, length, "stand-in"); return SUCCESS; }
Result cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = memory; return SUCCESS; }
Result cuDeviceGetPCIBusId(char *id, int length, int device) { snprintf(id, length, "0000:01:00.0"); return SUCCESS; }
Result cuDeviceGetUuid_v2(char *uuid, int device) { memset(uuid, 7, 16); return SUCCESS; }
Result cuDeviceGetUuid(char *uuid, int device) { memset(uuid, 7, 16); return SUCCESS; }

// Those of an H100, by the numbers of `CUdevice_attribute`.
Result cuDeviceGetAttribute(int *value, int attribute, int device) {
  static const struct { int attribute, value; } known[] = {
    {1, 1024}, {2, 1024}, {3, 1024}, {4, 64},           // threads of a block, and of each of its dimensions
    {5, 2147483647}, {6, 65535}, {7, 65535},            // blocks of a grid
    {8, 49152}, {97, 232448},                           // shared memory of a block, at most
    {10, 32}, {16, 132}, {39, 2048},                    // threads of a warp; multiprocessors, and threads of one
    {75, 9}, {76, 0}, {115, 1},                         // compute capability; memory pools
  };
  *value = 1;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (known[i].attribute == attribute) *value = known[i].value;
  return SUCCESS;
}

Result cuDevicePrimaryCtxRetain(void **result, int device) { *result = context; return SUCCESS; }
Result cuDevicePrimaryCtxRelease_v2(int device) { return SUCCESS; }
Result cuCtxSetCurrent(void *current) { return SUCCESS; }
Result cuCtxGetCurrent(void **current) { *current = context; return SUCCESS; }
Result cuCtxSynchronize(void) { count(WAIT_FOR_STREAM); return SUCCESS; }
Result cuCtxGetStreamPriorityRange(int *least, int *greatest) { *least = 0; *greatest = -5; return SUCCESS; }
Result cuGetErrorName(int error, const char **text) { *text = "STAND_IN"; return SUCCESS; }
Result cuGetErrorString(int error, const char **text) { *text = "the stand-in driver"; return SUCCESS; }

// Streams and events. All is done at once, so nobody waits; that somebody would is counted.

static Result handle(void **result) { *result = malloc(16); return *result ? SUCCESS : OUT_OF_MEMORY; }
Result cuStreamCreate(void **stream, unsigned flags) { return handle(stream); }
Result cuStreamCreateWithPriority(void **stream, unsigned flags, int priority) { return handle(stream); }
Result cuStreamDestroy_v2(void *stream) { free(stream); return SUCCESS; }
Result cuStreamSynchronize(void *stream) { count(WAIT_FOR_STREAM); return SUCCESS; }
Result cuStreamQuery(void *stream) { return SUCCESS; }
Result cuStreamWaitEvent(void *stream, void *event, unsigned flags) { count(STREAM_WAIT); return SUCCESS; }
Result cuEventCreate(void **event, unsigned flags) { return handle(event); }
Result cuEventDestroy_v2(void *event) { free(event); return SUCCESS; }
Result cuEventRecord(void *event, void *stream) { count(EVENT_RECORD); return SUCCESS; }
Result cuEventSynchronize(void *event) { count(WAIT_FOR_EVENT); return SUCCESS; }
Result cuEventQuery(void *event) { return SUCCESS; }
Result cuEventElapsedTime(float *milliseconds, void *from, void *to) { *milliseconds = 0.01f; return SUCCESS; }
Result cuEventElapsedTime_v2(float *milliseconds, void *from, void *to) { *milliseconds = 0.01f; return SUCCESS; }

// Memory.

static Result allocate(Address *result, size_t bytes) {
  void *place;
  count(ALLOCATION);
  if (allocated + bytes > memory || posix_memalign(&place, 512, bytes ? bytes : 1)) return OUT_OF_MEMORY;
  allocated += malloc_usable_size(place);
  if (counts[MOST_ALLOCATED] < (long long)allocated) counts[MOST_ALLOCATED] = allocated;
  memset(place, 0, bytes);
  *result = (Address)place;
  return SUCCESS;
}
static Result release(Address place) {
  count(FREE);
  allocated -= malloc_usable_size((void *)place);
  free((void *)place);
  return SUCCESS;
}
Result cuMemAlloc_v2(Address *result, size_t bytes) { return allocate(result, bytes); }
Result cuMemAllocAsync(Address *result, size_t bytes, void *stream) { return allocate(result, bytes); }
Result cuMemAllocFromPoolAsync(Address *result, size_t bytes, void *pool, void *stream) { return allocate(result, bytes); }
Result cuMemFree_v2(Address memory) { return release(memory); }
Result cuMemFreeAsync(Address memory, void *stream) { return release(memory); }
Result cuMemAllocHost_v2(void **result, size_t bytes) {
  count(HOST_ALLOCATION);
  return posix_memalign(result, 4096, bytes ? bytes : 1) ? OUT_OF_MEMORY : SUCCESS;
}
Result cuMemFreeHost(void *memory) { free(memory); return SUCCESS; }
Result cuMemHostRegister_v2(void *memory, size_t bytes, unsigned flags) { return SUCCESS; }
Result cuMemHostUnregister(void *memory) { return SUCCESS; }
Result cuMemGetInfo_v2(size_t *available, size_t *total) { *total = memory; *available = memory - allocated; return SUCCESS; }

// Copies.

static Result copy(enum Count what, void *to, const void *from, size_t bytes) {
  count(what);
  if (what == TO_DEVICE) counts[BYTES_TO_DEVICE] += bytes;
  if (what == TO_HOST) counts[BYTES_TO_HOST] += bytes;
  memmove(to, from, bytes);
  return SUCCESS;
}
Result cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, void *stream) { return copy(TO_DEVICE, (void *)to, from, bytes); }
Result cuMemcpyHtoD_v2(Address to, const void *from, size_t bytes) { return copy(TO_DEVICE, (void *)to, from, bytes); }
Result cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes, void *stream) { return copy(TO_HOST, to, (void *)from, bytes); }
Result cuMemcpyDtoH_v2(void *to, Address from, size_t bytes) { return copy(TO_HOST, to, (void *)from, bytes); }
Result cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, void *stream) { return copy(ON_DEVICE, (void *)to, (void *)from, bytes); }
Result cuMemsetD8Async(Address to, unsigned char value, size_t bytes, void *stream) {
  count(MEMORY_SET);
  memset((void *)to, value, bytes);
  return SUCCESS;
}

// CUDA_MEMCPY2D: a block of memory with rows of its own length. `kind` is 1 on the host.
struct Side { size_t x, y; int kind; void *host; Address device; void *array; size_t pitch; };
struct Copy { struct Side from, to; size_t width, height; };

static char *start(const struct Side *side) {
  return (side->kind == 1 ? (char *)side->host : (char *)side->device) + side->y * side->pitch + side->x;
}
Result cuMemcpy2DAsync_v2(const struct Copy *block, void *stream) {
  size_t bytes = block->width * block->height;
  if (block->from.kind == 1) { count(TO_DEVICE); counts[BYTES_TO_DEVICE] += bytes; }
  else if (block->to.kind == 1) { count(TO_HOST); counts[BYTES_TO_HOST] += bytes; }
  else count(ON_DEVICE);
  for (size_t row = 0; row < block->height; row++)
    memcpy(start(&block->to) + row * block->to.pitch, start(&block->from) + row * block->from.pitch, block->width);
  return SUCCESS;
}

// Kernels.

Result cuModuleLoadData(void **module, const void *image) {
  static atomic_int number;
  const char *log = getenv("STAND_IN_LOG"), *text = image;
  char path[4096];
  // Not what is compiled already, which is ELF.
  if (log && *text != 0x7f && snprintf(path, sizeof path, "%s.%d.%d.ptx", log, getpid(), number++) < (int)sizeof path) {
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) abort();
  }
  count(MODULE);
  return handle(module);
}
Result cuModuleLoadDataEx(void **module, const void *image, unsigned number, void *options, void *values) { return cuModuleLoadData(module, image); }
Result cuModuleUnload(void *module) { free(module); return SUCCESS; }
Result cuModuleGetFunction(void **function, void *module, const char *name) { *function = context; return SUCCESS; }
Result cuFuncSetAttribute(void *function, int attribute, int value) { return SUCCESS; }
Result cuFuncGetAttribute(int *value, int attribute, void *function) { *value = 1024; return SUCCESS; }
Result cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                      unsigned shared, void *stream, void **arguments, void **extra) { count(LAUNCH); return SUCCESS; }
Result cuLaunchKernelEx(const void *config, void *function, void **arguments, void **extra) { count(LAUNCH); return SUCCESS; }
Result cuStreamBeginCapture_v2(void *stream, int mode) { return NOT_SUPPORTED; }
Result cuStreamEndCapture(void *stream, void **graph) { return NOT_SUPPORTED; }
Result cuGraphLaunch(void *graph, void *stream) { count(GRAPH_LAUNCH); return SUCCESS; }
Result cuTensorMapEncodeTiled(void) { return SUCCESS; }
Result cuTensorMapEncodeIm2col(void) { return SUCCESS; }
