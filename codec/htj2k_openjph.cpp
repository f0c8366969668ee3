// High-Throughput JPEG 2000. Adapter of OpenJPH 0.9 for streams that pass the guard; others are left to OpenJPEG.
#include <algorithm>
#include <bit>
#include <cstdio>
#include <exception>
#include <new>

#include <openjph/ojph_arch.h>
#include <openjph/ojph_base.h>
#include <openjph/ojph_codestream.h>
#include <openjph/ojph_file.h>
#include <openjph/ojph_mem.h>
#include <openjph/ojph_message.h>
#include <openjph/ojph_params.h>

#include "codec/adapters.h"
#include "codec/assertion_trap.h"
#include "codec/j2k_header.h"

namespace cairn::codec {
namespace {

class Encoded final : public ojph::outfile_base {
 public:
  std::size_t write(const void* data, std::size_t size) override {
    const auto* const p = static_cast<const std::byte*>(data);
    bytes_.insert(bytes_.end(), p, p + size);
    return size;
  }
  ojph::si64 tell() override { return static_cast<ojph::si64>(bytes_.size()); }
  Bytes bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

/// Closes also when an exception leaves.
class Codestream {
 public:
  ~Codestream() { stream_.close(); }
  ojph::codestream* operator->() { return &stream_; }

 private:
  ojph::codestream stream_;
};

template <class T>
void store_line(const ojph::si32* from, T* into, std::size_t count, ojph::si32 low, ojph::si32 high) {
  for (std::size_t i = 0; i < count; ++i) into[i] = static_cast<T>(std::clamp(from[i], low, high));
}

/// `planes` has room for a row, component after component.
template <class T>
bool pull_lines(ojph::codestream& stream, const PixelFormat& format, const J2KComponent& c, T* planes, T* out) {
  const std::size_t step = format.samples_per_pixel;
  const std::size_t columns = format.columns;
  const ojph::si32 low = c.is_signed ? -(1 << (c.precision - 1)) : 0;
  const ojph::si32 high = c.is_signed ? (1 << (c.precision - 1)) - 1 : (1 << c.precision) - 1;
  for (std::uint32_t row = 0; row < format.rows; ++row, out += columns * step) {
    for (std::size_t k = 0; k < step; ++k) {
      ojph::ui32 component = 0;
      const ojph::line_buf* const line = stream.pull(component);
      if (line == nullptr || component >= step || line->size < columns) return false;
      store_line<T>(line->i32, step == 1 ? out : planes + component * columns, columns, low, high);
    }
    if (step == 3) {
      for (std::size_t x = 0; x < columns; ++x) {
        out[3 * x] = planes[x];
        out[3 * x + 1] = planes[columns + x];
        out[3 * x + 2] = planes[2 * columns + x];
      }
    } else if (step > 1) {
      for (std::size_t k = 0; k < step; ++k) {
        for (std::size_t x = 0; x < columns; ++x) out[x * step + k] = planes[k * columns + x];
      }
    }
  }
  return true;
}

/// What the guarded step works on; the objects belong to decode_htj2k_fast().
struct Step {
  ojph::mem_infile* file;
  ojph::codestream* stream;
  const PixelFormat* format;
  const J2KComponent* component;
  std::byte* planes;
  std::byte* out;
  std::uint32_t width_bytes;
  Errc cause;
  bool good;
};

void decode_step(void* context) {
  auto& job = *static_cast<Step*>(context);
  try {
    job.stream->read_headers(job.file);
    job.stream->set_planar(false);
    job.stream->create();
    job.good = job.width_bytes == 1
                   ? pull_lines(*job.stream, *job.format, *job.component, reinterpret_cast<std::uint8_t*>(job.planes),
                                reinterpret_cast<std::uint8_t*>(job.out))
                   : pull_lines(*job.stream, *job.format, *job.component, reinterpret_cast<std::uint16_t*>(job.planes),
                                reinterpret_cast<std::uint16_t*>(job.out));
  } catch (const std::bad_alloc&) {
    job.cause = Errc::out_of_memory;
  } catch (const std::exception&) {
    job.cause = Errc::malformed;
  } catch (const char*) {  // what its allocator throws
    job.cause = Errc::out_of_memory;
  }
}

/// A tiny image through encoder and decoder: their function tables are set up on first use without a lock.
void run_once() {
  constexpr int kSide = 32;
  Encoded file;
  {
    Codestream stream;
    ojph::param_siz siz = stream->access_siz();
    siz.set_image_extent(ojph::point(kSide, kSide));
    siz.set_num_components(1);
    siz.set_component(0, ojph::point(1, 1), 8, false);
    stream->access_cod().set_reversible(true);
    stream->access_cod().set_num_decomposition(1);
    stream->set_planar(false);
    stream->write_headers(&file);
    ojph::ui32 component = 0;
    ojph::line_buf* line = stream->exchange(nullptr, component);
    for (int row = 0; row < kSide; ++row) {
      for (int i = 0; i < kSide; ++i) line->i32[i] = row + i;
      line = stream->exchange(line, component);
    }
    stream->flush();
  }
  PixelFormat format;
  format.rows = format.columns = kSide;
  format.bits_allocated = format.bits_stored = 8;
  std::vector<std::byte> samples;
  VectorRoom room(samples);
  static_cast<void>(decode_htj2k_fast({ForeignDecoder::htj2k, format, file.bytes(), false, {}}, room));
}

}  // namespace

void warm_up_htj2k() {
  // Errors are thrown after they are printed; the hooks that would replace the printer do nothing in 0.9.
  static std::FILE* const nowhere = std::fopen("/dev/null", "w");  // kept open: the library holds it
  if (nowhere != nullptr) {
    ojph::set_error_stream(nowhere);
    ojph::set_warning_stream(nowhere);
    ojph::set_info_stream(nowhere);
  }
  try {
    run_once();
  } catch (const std::exception&) {
    // Nothing depends on the picture.
  }
}

Result<StreamTraits> decode_htj2k_fast(const ForeignJob& job, SampleRoom& room) {
  const PixelFormat& format = job.format;
  const Bytes coded = job.coded;
  CAIRN_TRY(const Bytes codestream, find_codestream(coded));
  CAIRN_TRY(const J2KHeader header, read_j2k_header(codestream));
  CAIRN_TRYV(check_j2k_format(header, format));
  if (!is_plain_htj2k(header, codestream)) return fail(Errc::unsupported, "HTJ2K stream outside the guarded profile");

  StreamTraits image;
  const J2KComponent& component = header.components[0];
  image.precision = component.precision;
  image.width_bytes = component.precision <= 8 ? 1 : 2;
  image.stream_signed = component.is_signed;
  image.lossy = !header.style.reversible;
  if (header.multi_component_transform) image.colour = StreamColour::rgb;
  if (codestream.data() != coded.data()) image.mark(Oddity::jp2_boxes);
  if (component.is_signed != format.is_signed) image.mark(Oddity::sign_differs);
  CAIRN_TRY(const MutableBytes samples, room.take(samples_per_frame(format) * image.width_bytes));
  static_assert(std::endian::native == std::endian::little, "samples are stored as they lie in memory");
  std::vector<std::byte> planes(std::size_t{format.columns} * format.samples_per_pixel * image.width_bytes);
  ojph::mem_infile file;
  file.open(reinterpret_cast<const ojph::ui8*>(codestream.data()), header.end);
  try {
    Codestream stream;
    Step step{&file,          stream.operator->(), &format,         &component, planes.data(),
              samples.data(), image.width_bytes,   Errc::malformed, false};
    if (!run_trapping_assertions(decode_step, &step) || !step.good) {
      return fail(step.cause, "HTJ2K stream refused by the decoder", header.first_tile_part);
    }
  } catch (const std::bad_alloc&) {
    return fail(Errc::out_of_memory, "HTJ2K decoder");
  }
  return image;
}

}  // namespace cairn::codec
