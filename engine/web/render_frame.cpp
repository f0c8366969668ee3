#include "engine/web/render_frame.h"

#include "codec/decode.h"
#include "codec/image.h"
#include "engine/dicom/vr.h"

namespace cairn::web {
namespace {

constexpr std::uint64_t kMaxValueBytes = 16u << 20;  // lookup tables and overlays

/// Codings that keep the words of the sender, unused bits and all.
bool has_native_samples(codec::Coding coding) noexcept {
  return coding == codec::Coding::native || coding == codec::Coding::uncompressed || coding == codec::Coding::rle ||
         coding == codec::Coding::deflated_frame;
}

/// Reads left-out lookup tables and overlays; the index counts their place in the same source as the pixels'.
ValueReader reader_of(codec::ByteSource& source, bool big_endian) {
  return [&source, big_endian](const dicom::Element& element) -> Result<std::string> {
    if (!element.bulk) return element.value;
    if (element.bulk->length > kMaxValueBytes) return fail(Errc::limit_exceeded, "lookup table or overlay");
    std::string bytes(static_cast<std::size_t>(element.bulk->length), '\0');
    const MutableBytes into(reinterpret_cast<std::byte*>(bytes.data()), bytes.size());
    CAIRN_TRY(const std::size_t count, source.read(element.bulk->stream_offset, into));
    bytes.resize(count);
    if (big_endian && element.vr != dicom::VR::OB) {
      for (std::size_t i = 0; i + 2 <= bytes.size(); i += 2) std::swap(bytes[i], bytes[i + 1]);
    }
    return bytes;
  };
}

}  // namespace

std::string_view media_type_of(PictureType type) noexcept {
  return type == PictureType::jpeg ? "image/jpeg" : "image/png";
}

Result<std::vector<std::byte>> render_frame(archive::Archive& archive, const StoredPixels& pixels, std::uint64_t frame,
                                            const RenderedQuery& query, PictureType type) {
  if (frame == 0 || frame > pixels.index.frame_count()) return fail(Errc::not_found, "frame");
  CAIRN_TRY(const auto header, archive.header(pixels.instance->sop_instance_uid));
  CAIRN_TRY(const auto data_set, dicom::DataSet::parse(header));
  const auto source = open_pixels(archive, pixels);
  CAIRN_TRY(const auto coded, pixels.index.read(*source, frame - 1));
  codec::DecodeOptions options;
  options.name = {pixels.instance->sop_instance_uid, frame};
  CAIRN_TRY(const auto decoded, codec::decode_frame(*pixels.syntax, pixels.format, coded, options));
  const bool native = has_native_samples(pixels.syntax->coding);
  CAIRN_TRY(Picture picture, present(data_set, static_cast<std::uint32_t>(frame - 1), pixels.format, decoded, native,
                                     query.window, reader_of(*source, header.encoding.big_endian)));
  if (query.region) {
    Region region = *query.region;
    if (region.columns == 0) region.columns = std::int64_t{picture.columns} - region.column;
    if (region.rows == 0) region.rows = std::int64_t{picture.rows} - region.row;
    CAIRN_TRY(picture, cut_region(picture, region));
  }
  const double aspect = pixel_aspect_of(data_set, static_cast<std::uint32_t>(frame - 1));
  picture = query.box ? fit_into(picture, query.box->first, query.box->second, aspect)
                      : square(picture, aspect, kMaxPictureEdge);
  if (type == PictureType::png) return codec::encode_png(picture.plane());
  return codec::encode_jpeg(picture.plane(), query.quality);
}

}  // namespace cairn::web
