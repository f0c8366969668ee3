#include "tests/cuda/device_rows.h"

namespace cairn::recon::test {
namespace {

__global__ void sample(VolumeView volume, IndexPlane plane, std::uint32_t width, const Span* spans, float* out) {
  const std::uint32_t row = blockIdx.x;
  const Span span = spans[row];
  const VolumeGeometry& g = volume.geometry;
  const Strides strides{g.columns > 1 ? 1 : 0, g.rows > 1 ? static_cast<std::int64_t>(g.columns) : 0};
  for (std::uint32_t pixel = span.first + threadIdx.x; pixel < span.last; pixel += blockDim.x) {
    const std::uint32_t lane = (pixel - span.first) % kBlock;
    const BlockBase base = block_base(plane, row, pixel - lane);
    const Sample s = affine_sample(g, plane, base, static_cast<int>(lane));
    out[static_cast<std::size_t>(row) * width + pixel] =
        interpolated<std::int16_t>(volume, plane.interpolation, s, strides, 0.0f,
                                   [&] { return affine_cubic(g, plane, base, static_cast<int>(lane)); });
  }
}

/// Device memory with a copy of host values in it.
template <class T>
class OnDevice {
 public:
  OnDevice(const T* values, std::size_t count) : bytes_(count * sizeof(T)) {
    ok_ = cudaMalloc(&memory_, bytes_) == cudaSuccess &&
          cudaMemcpy(memory_, values, bytes_, cudaMemcpyHostToDevice) == cudaSuccess;
  }
  ~OnDevice() { cudaFree(memory_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  bool ok() const { return ok_; }
  T* get() const { return static_cast<T*>(memory_); }
  bool read(T* into) const { return cudaMemcpy(into, memory_, bytes_, cudaMemcpyDeviceToHost) == cudaSuccess; }

 private:
  void* memory_ = nullptr;
  std::size_t bytes_;
  bool ok_ = false;
};

}  // namespace

bool has_device() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

bool sample_on_device(const VolumeView& volume, const IndexPlane& plane, std::uint32_t width, std::span<const Span> spans,
                      std::span<float> out) {
  const VolumeGeometry& g = volume.geometry;
  const std::size_t voxels = static_cast<std::size_t>(g.columns) * g.rows * g.slices;
  const OnDevice<std::int16_t> stored(static_cast<const std::int16_t*>(volume.voxels), voxels);
  const OnDevice<float> slope(volume.slope, g.slices), intercept(volume.intercept, g.slices);
  const OnDevice<Span> row_spans(spans.data(), spans.size());
  const OnDevice<float> pixels(out.data(), out.size());
  if (!stored.ok() || !slope.ok() || !intercept.ok() || !row_spans.ok() || !pixels.ok()) return false;
  VolumeView view = volume;
  view.voxels = stored.get();
  view.slope = slope.get();
  view.intercept = intercept.get();
  sample<<<static_cast<unsigned>(spans.size()), 128>>>(view, plane, width, row_spans.get(), pixels.get());
  return cudaGetLastError() == cudaSuccess && cudaDeviceSynchronize() == cudaSuccess && pixels.read(out.data());
}

}  // namespace cairn::recon::test
