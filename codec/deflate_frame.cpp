// Deflated Image Frame Compression (PS3.5 §A.4.13): raw DEFLATE, the size known beforehand. Adapter of libdeflate.
#include <memory>

#include <libdeflate.h>

#include "codec/adapters.h"
#include "codec/encoders.h"

namespace cairn::codec {

Result<StreamTraits> inflate_frame(const ForeignJob& job, SampleRoom& room) {
  const Bytes coded = job.coded;
  const std::uint64_t expected_bytes = (native_frame_bits(job.format) + 7) / 8;
  // DEFLATE cannot expand more than 1032 times, so a tiny frame cannot make us allocate a large one.
  if (expected_bytes / 1032 > coded.size())
    return fail(Errc::truncated, "deflated frame too small for its extent", coded.size());
  const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> inflater(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  if (!inflater) return fail(Errc::out_of_memory, "inflater");
  // A frame may carry its padding byte inside the stream: room for one more.
  CAIRN_TRY(const MutableBytes out, room.take(expected_bytes + 1));
  std::size_t used = 0;
  std::size_t made = 0;
  const libdeflate_result result = libdeflate_deflate_decompress_ex(inflater.get(), coded.data(), coded.size(),
                                                                    out.data(), out.size(), &used, &made);
  if (result == LIBDEFLATE_INSUFFICIENT_SPACE)
    return fail(Errc::limit_exceeded, "deflated frame inflates past its declared size");
  if (result != LIBDEFLATE_SUCCESS) return fail(Errc::malformed, "deflate stream");
  if (made < expected_bytes) return fail(Errc::truncated, "deflated frame", used);
  return StreamTraits{};
}

Result<Coded> deflate_raw(Bytes plain) {
  constexpr int kLevel = 6;
  const std::unique_ptr<libdeflate_compressor, void (*)(libdeflate_compressor*)> deflater(
      libdeflate_alloc_compressor(kLevel), libdeflate_free_compressor);
  if (!deflater) return fail(Errc::out_of_memory, "deflater");
  Coded out(libdeflate_deflate_compress_bound(deflater.get(), plain.size()));
  out.resize(libdeflate_deflate_compress(deflater.get(), plain.data(), plain.size(), out.data(), out.size()));
  if (out.empty()) return fail(Errc::internal, "deflater");
  return out;
}

}  // namespace cairn::codec
